// Which painter paints what: one a role, one a lens, one a whole stage. Services and tests add their own with `register`.
import { buffer } from "./painters/buffer.js";
import { clusterLens, clusterStage } from "./painters/cluster.js";
import { clouds } from "./painters/clouds.js";
import { shelf } from "./painters/shelf.js";
import { bag } from "./painters/bag.js";
import { brokersLens, brokersStage } from "./painters/brokers.js";
import { executions } from "./painters/executions.js";
import { lines } from "./painters/lines.js";
import { hands } from "./painters/hands.js";
import { done, inbox, lost, node, producer } from "./painters/producer.js";
import { board } from "./painters/board.js";
import { tape } from "./painters/tape.js";
import { map } from "./painters/map.js";
import { waits } from "./painters/waits.js";
import { works } from "./painters/works.js";

const ROLES = {
  producer, done, lost, topic: node, bucket: node, endpoint: inbox, queue: bag, direct: bag, "dead-letter": bag, consumer: hands, server: hands,
    function: executions, shard: tape, buffer, shelf,
};
const LENSES = { board, brokers: brokersLens, clouds, cluster: clusterLens, map, waits, work: works };
const STAGES = { brokers: brokersStage, cluster: clusterStage };

/**
 * Adds painters: {roles, lenses, stages}, each by name. A painter of a role has place(box, lane), which sets box.spot(token) -> [x, y],
 * ground(g, box, lane, view), paint(g, box, lane, view) and traces(g, box, lane, view), each of them optional, and it may say how much a second
 * another place took from one of its own, in the window before t: taken(run, from, to, t, window), and what the card of a place says of it:
 * about(run, place, t, window), [what matters, more...]. A lens has the same, `wide` (its share of the width), curve(run) and say(runs, t); a
 * stage has layout(lanes, W, H, big) and draw(g, lanes, view) of its own.
 */
export function register({ roles = {}, lenses = {}, stages = {} }) {
  Object.assign(ROLES, roles); Object.assign(LENSES, lenses); Object.assign(STAGES, stages);
}

export const painterOf = (lane, b) => ((ROLES[b.painter] ?? bag) === bag && b.role !== "dead-letter" &&
  lines.suits(lane.run, b.place) ? lines : ROLES[b.painter] ?? ROLES[b.role] ?? bag);
export const lensOf = (lens) => (lens ? LENSES[lens.painter] ?? null : null);
export const stageOf = (name) => (name ? STAGES[name] ?? null : null);
