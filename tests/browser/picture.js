/* What is wrong with the words and boxes of a picture, drawn at t on a canvas of this size: out of it, cut, one over another. */
([t, W, H, big]) => {
  const { workbench } = document.querySelector(".ml-workbench"), { stage } = workbench, canvas = document.createElement("canvas");
  Object.assign(canvas, { width: W, height: H });
  const g = canvas.getContext("2d"), plain = g.fillText.bind(g), words = [], wrong = [];
  g.fillText = (text, x, y) => {
    const { width, actualBoundingBoxAscent: up, actualBoundingBoxDescent: down } = g.measureText(text);
    const left = x - (g.textAlign === "right" ? width : g.textAlign === "center" ? width / 2 : 0);
    if (text) words.push({ name: text, x: left, y: y - up, w: width, h: up + down });
    plain(text, x, y);
  };
  stage.layout(W, H, big);
  stage.draw(g, { ...workbench.view(), t, hits: [] });
  const boxes = stage.own ? [] : stage.lanes.map((lane) => [...lane.boxes.values(), lane.lensBox].filter(Boolean).map((b) => ({ ...b, name: `the ${b.role}` })));
  const over = (list, least, leave) => list.forEach((a, i) => list.slice(i + 1).forEach((b) => {
    const x = Math.min(a.x + a.w, b.x + b.w) - Math.max(a.x, b.x), y = Math.min(a.y + a.h, b.y + b.h) - Math.max(a.y, b.y);
    if (x > least && y > least && !leave?.(a, b)) wrong.push(`${a.name} over ${b.name}`);
  }));
  for (const a of [...words, ...boxes.flat()]) if (a.x < -1 || a.y < -1 || a.x + a.w > W + 1 || a.y + a.h > H + 1) wrong.push(`${a.name} stands out`);
  for (const { name } of words) if (name.endsWith("…")) wrong.push(`${name} is cut`);
  over(words, 2, (a, b) => /^\d+$/.test(a.name) && /^\d+$/.test(b.name));   // numbers on marks that lie close to each other
  for (const list of boxes) over(list, 1);
  return wrong;
}
