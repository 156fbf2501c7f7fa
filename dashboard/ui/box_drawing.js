// A photograph on which a person draws a square around a face, by mouse, finger, pen or keyboard.
// data: {src, alt, width, height, least, faces: [[x0, y0, x1, y1]] as shares, answered, missed: [x, y, w, h] | null}; pixels
// are the photograph's, `answered` counts the boxes so far, `missed` is the last one if no face was seen in it.
// Trigger "box": [x, y, w, h].

const LARGEST_PIXEL = 16; // screen pixels to one of the photograph, at the largest zoom

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ef-drawing");
  root._data = data;
  root._send = (box) => setTriggerValue("box", box);
  if (root._src !== data.src) {
    root._src = data.src;
    root._view = { zoom: 1, x: 0.5, y: 0.5, moving: false, box: null, answered: 0 };
    build(root);
  }
  if (root._view.answered !== data.answered) root._view.box = data.missed && data.missed.slice(0, 3);
  root._view.answered = data.answered;
  place(root);
}

function make(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function build(root) {
  const stage = make("div", "ef-stage", {
    tabindex: "0", role: "group",
    "aria-label": "Photograph. Arrow keys move a square, plus and minus change its size, Enter uses it.",
  });
  stage.style.setProperty("--ratio", root._data.width / root._data.height);
  const image = make("img", "", { alt: root._data.alt, draggable: "false" });
  image.src = root._data.src;
  stage.append(image, make("div", "ef-faces"), make("div", "ef-square"));
  root.replaceChildren(toolbar(root), stage, make("output", "ef-said", { "aria-live": "polite" }));
  draws(root, stage);
  keys(root, stage);
  new ResizeObserver(() => place(root)).observe(stage);
}

function toolbar(root) {
  const bar = make("div", "ef-bar", { role: "group", "aria-label": "Zoom and tool" });
  const zoom = (factor) => () => zoomTo(root, root._view.zoom * factor);
  for (const [text, name, act, className] of [
    ["−", "Zoom out", zoom(1 / 1.6), ""],
    ["+", "Zoom in", zoom(1.6), ""],
    ["Whole photograph", "Show the whole photograph", () => zoomTo(root, 1), ""],
    ["Draw", "Draw a square", () => useTool(root, false), "ef-draw"],
    ["Move", "Move the photograph", () => useTool(root, true), "ef-move"],
  ]) {
    const button = make("button", className, { type: "button", "aria-label": name, title: name });
    button.textContent = text;
    button.addEventListener("click", act);
    bar.append(button);
  }
  return bar;
}

function useTool(root, moving) {
  root._view.moving = moving;
  place(root);
}

function zoomTo(root, zoom, x = root._view.x, y = root._view.y) {
  const stage = root.querySelector(".ef-stage");
  const most = Math.max(2, (LARGEST_PIXEL * root._data.width) / Math.max(1, stage.clientWidth));
  Object.assign(root._view, { zoom: Math.min(most, Math.max(1, zoom)), x, y });
  place(root);
}

// The view's corner and side, as shares of the photograph.
function shown(view) {
  return { left: view.x - 0.5 / view.zoom, top: view.y - 0.5 / view.zoom, part: 1 / view.zoom };
}

function place(root) {
  const { _view: view, _data: data } = root;
  const half = 0.5 / view.zoom;
  view.x = Math.min(1 - half, Math.max(half, view.x));
  view.y = Math.min(1 - half, Math.max(half, view.y));
  if (view.zoom === 1) view.moving = false;
  const { left, top, part } = shown(view);
  const stage = root.querySelector(".ef-stage"), image = stage.querySelector("img");
  image.style.transform = `scale(${view.zoom}) translate(${-left * 100}%, ${-top * 100}%)`;
  const pixel = (stage.clientWidth * view.zoom) / data.width;
  image.classList.toggle("ef-crisp", pixel >= 3);
  stage.classList.toggle("ef-moving", view.moving);
  const at = (element, x0, y0, x1, y1) => {
    const percent = (from, corner) => `${((from - corner) / part) * 100}%`;
    Object.assign(element.style, {
      left: percent(x0, left), top: percent(y0, top),
      width: `${((x1 - x0) / part) * 100}%`, height: `${((y1 - y0) / part) * 100}%`,
    });
  };
  stage.querySelector(".ef-faces").replaceChildren(
    ...data.faces.map((face) => {
      const found = make("div", "ef-found");
      at(found, ...face);
      return found;
    }),
  );
  const square = stage.querySelector(".ef-square"), box = view.box;
  square.hidden = !box;
  square.classList.toggle("ef-missed", Boolean(box && data.missed?.slice(0, 3).every((value, i) => value === box[i])));
  if (box) at(square, box[0] / data.width, box[1] / data.height, (box[0] + box[2]) / data.width, (box[1] + box[2]) / data.height);
  const [draw, move] = [root.querySelector(".ef-draw"), root.querySelector(".ef-move")];
  draw.setAttribute("aria-pressed", String(!view.moving));
  move.setAttribute("aria-pressed", String(view.moving));
  move.disabled = view.zoom === 1;
  root.querySelector(".ef-said").textContent = said(view, data);
}

function said(view, data) {
  const zoom = view.zoom > 1 ? `Zoom ${view.zoom.toFixed(1)}. ` : "";
  if (!view.box) return `${zoom}Photograph of ${data.width} × ${data.height} px.`;
  const [x, y, side] = view.box.map(Math.round);
  const small = side < data.least ? ` Too small: at least ${data.least} px.` : "";
  return `${zoom}Square of ${side} × ${side} px at ${x}, ${y}.${small}`;
}

// The square of that side nearest to the place, inside the photograph and in whole pixels.
function fitted(data, x, y, side) {
  side = Math.round(Math.min(side, data.width, data.height));
  const inside = (value, size) => Math.round(Math.min(size - side, Math.max(0, value)));
  return [inside(x, data.width), inside(y, data.height), side];
}

// The square with one corner where the drag began, and its opposite side where the pointer is.
function dragged(data, from, to) {
  const [dx, dy] = [to.x - from.x, to.y - from.y];
  const room = (start, step, size) => (step < 0 ? start : size - start);
  const side = Math.min(Math.max(Math.abs(dx), Math.abs(dy)), room(from.x, dx, data.width), room(from.y, dy, data.height));
  return fitted(data, dx < 0 ? from.x - side : from.x, dy < 0 ? from.y - side : from.y, side);
}

function use(root) {
  const { _view: view, _data: data } = root;
  if (!view.box || view.box[2] < data.least) return;
  const [x, y, side] = view.box;
  root._send([x, y, side, side]);
}

function draws(root, stage) {
  const fingers = new Map();
  let pinch = null;
  const share = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width, y: (event.clientY - box.top) / box.height };
  };
  const pixel = (at) => {
    const { left, top, part } = shown(root._view);
    return { x: clamp(left + at.x * part) * root._data.width, y: clamp(top + at.y * part) * root._data.height };
  };
  const two = () => {
    const [a, b] = [...fingers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, apart: Math.max(0.01, Math.hypot(a.x - b.x, a.y - b.y)) };
  };
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const view = root._view, at = share(event);
    stage.setPointerCapture(event.pointerId);
    fingers.set(event.pointerId, at);
    if (fingers.size === 2) {
      pinch = { ...two(), zoom: view.zoom, at: shown(view) };
      Object.assign(view, { from: null, box: null });
    } else if (fingers.size === 1) {
      view.from = view.moving ? { ...at, at: { x: view.x, y: view.y } } : pixel(at);
      if (!view.moving) view.box = null;
    }
    place(root);
  });
  stage.addEventListener("pointermove", (event) => {
    const view = root._view, at = share(event);
    if (fingers.has(event.pointerId)) fingers.set(event.pointerId, at);
    if (pinch && fingers.size === 2) {
      const now = two(), zoom = Math.max(1, (pinch.zoom * now.apart) / pinch.apart);
      const point = { x: pinch.at.left + pinch.x * pinch.at.part, y: pinch.at.top + pinch.y * pinch.at.part };
      zoomTo(root, zoom, point.x + (0.5 - now.x) / zoom, point.y + (0.5 - now.y) / zoom);
    } else if (view.from && view.moving) {
      zoomTo(root, view.zoom, view.from.at.x - (at.x - view.from.x) / view.zoom, view.from.at.y - (at.y - view.from.y) / view.zoom);
    } else if (view.from) {
      view.box = dragged(root._data, view.from, pixel(at));
      place(root);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    stage.addEventListener(end, (event) => {
      const view = root._view, drawn = view.from && !view.moving && end === "pointerup";
      fingers.delete(event.pointerId);
      view.from = null;
      if (!fingers.size) pinch = null;
      if (drawn) use(root);
      place(root);
    });
  }
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls, unless asked (a pinch comes so, too)
    event.preventDefault();
    zoomAt(root, share(event), Math.exp(-event.deltaY / 300));
  }, { passive: false });
  stage.addEventListener("dblclick", (event) => zoomAt(root, share(event), 2.5));
}

// Zoom so that the point of the photograph under `at` stays there.
function zoomAt(root, at, factor) {
  const view = root._view, { left, top, part } = shown(view);
  const zoom = Math.max(1, view.zoom * factor);
  zoomTo(root, zoom, left + at.x * part + (0.5 - at.x) / zoom, top + at.y * part + (0.5 - at.y) / zoom);
}

function keys(root, stage) {
  stage.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { _view: view, _data: data } = root;
    const seen = Math.min(data.width, data.height) / view.zoom;
    const [x, y, side] = view.box ?? fitted(data, view.x * data.width - seen / 8, view.y * data.height - seen / 8, seen / 4);
    const step = Math.max(1, side * (event.shiftKey ? 1 : 0.1));
    const to = {
      ArrowLeft: [x - step, y, side], ArrowRight: [x + step, y, side],
      ArrowUp: [x, y - step, side], ArrowDown: [x, y + step, side],
      "+": [x - 1, y - 1, side + Math.max(2, side * 0.1)], "=": [x - 1, y - 1, side + Math.max(2, side * 0.1)],
      "-": [x + 1, y + 1, Math.max(data.least, side - Math.max(2, side * 0.1))],
    }[event.key];
    if (event.key === "Enter") use(root);
    else if (event.key === "Escape") view.box = null;
    else if (to) view.box = view.box ? fitted(data, ...to) : [x, y, side];
    else return;
    event.preventDefault();
    event.stopPropagation();
    follow(view, data);
    place(root);
  });
}

// Move the view so that the square is in it.
function follow(view, data) {
  if (!view.box) return;
  const [x, y, side] = view.box, half = 0.5 / view.zoom;
  view.x = Math.min(x / data.width + half, Math.max((x + side) / data.width - half, view.x));
  view.y = Math.min(y / data.height + half, Math.max((y + side) / data.height - half, view.y));
}

function clamp(value) {
  return Math.min(1, Math.max(0, value));
}
