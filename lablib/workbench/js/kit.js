// What a painter that a service or a test brings along may use: the signs, the sizes and colours, the questions to a run.
import * as glyph from "./glyph.js";
import * as model from "./model.js";
import * as theme from "./theme.js";

export const KIT = { ...theme, ...glyph, ...model };
