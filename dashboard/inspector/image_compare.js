// Pictures of one face: a grid of panels and a wipe between any two, with one zoom and one place for all of them.
// data: {pictures: [{id, label, note, src, crisp, row}], legend: {src, low, high} | null, a, b}

const STEP = 2, LEAP = 10, MOST = 12;

export default function ({ data, parentElement }) {
  const root = parentElement.querySelector(".ef-compare");
  const view = (root._view ??= { zoom: 1, x: 0.5, y: 0.5, wipe: 50, a: null, b: null });
  const ids = data.pictures.map((each) => each.id);
  // What was chosen stays while such a picture is there; else the page's own choice stands.
  if (!ids.includes(view.a)) view.a = data.a;
  if (!ids.includes(view.b)) view.b = data.b;
  const shape = JSON.stringify([ids, data.pictures.map((each) => each.row), Boolean(data.legend)]);
  if (root._shape !== shape) build(root, data, view);
  root._shape = shape;
  root._data = data;
  fill(root, data, view);
}

function make(tag, className, attributes = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

function build(root, data, view) {
  root.replaceChildren(toolbar(root, view), panels(root, data, view), wipe(root, data, view));
}

function toolbar(root, view) {
  const bar = make("div", "ef-bar", { role: "group", "aria-label": "Zoom, for all pictures" });
  const zoom = (factor) => () => zoomTo(root, view, view.zoom * factor);
  for (const [text, name, act] of [
    ["−", "Zoom out", zoom(1 / 1.5)],
    ["+", "Zoom in", zoom(1.5)],
    ["Whole face", "Show the whole face", () => zoomTo(root, view, 1)],
  ]) {
    const button = make("button", "", { type: "button", "aria-label": name, title: name });
    button.textContent = text;
    button.addEventListener("click", act);
    bar.append(button);
  }
  const said = make("output", "ef-zoom", { "aria-live": "polite" });
  const hint = make("span", "ef-hint");
  hint.textContent = "Drag to move all pictures together.";
  bar.append(said, hint);
  return bar;
}

function panels(root, data, view) {
  const grid = make("div", "ef-grid");
  grid.style.setProperty("--n", data.pictures.filter((each) => each.row === 0).length);
  for (const picture of data.pictures) {
    if (picture.row === 1 && !grid.querySelector(".ef-legend") && data.legend) grid.append(legend());
    const figure = make("figure", picture.row ? "ef-map" : "");
    figure.dataset.id = picture.id;
    const stage = make("div", "ef-stage", { tabindex: "0", role: "img" });
    stage.append(make("img", "", { alt: "", draggable: "false" }));
    const caption = make("figcaption");
    caption.append(make("b"), make("span"));
    figure.append(stage, caption);
    grid.append(figure);
    moves(root, stage, view, null);
  }
  return grid;
}

function legend() {
  const box = make("div", "ef-legend");
  const ends = make("div");
  ends.append(make("span", "ef-low"), make("span", "ef-high"));
  box.append(make("b"), make("img", "", { alt: "Colour scale" }), ends);
  return box;
}

function wipe(root, data, view) {
  const box = make("div", "ef-wipe");
  const head = make("div", "ef-sides");
  for (const side of ["a", "b"]) {
    const label = make("label", `ef-${side}`);
    const word = make("span");
    word.textContent = side === "a" ? "Left" : "Right";
    const select = make("select");
    for (const picture of data.pictures) {
      const option = make("option", "", { value: picture.id });
      option.textContent = picture.label;
      select.append(option);
    }
    select.addEventListener("change", () => {
      view[side] = select.value;
      fill(root, root._data, view);
    });
    label.append(word, select);
    head.append(label);
  }
  const stage = make("div", "ef-stage ef-two", { tabindex: "0", role: "group", "aria-label": "Two pictures, one over the other" });
  const right = make("div", "ef-over");
  right.append(make("img", "ef-second", { alt: "", draggable: "false" }));
  const handle = make("div", "ef-handle", {
    role: "slider", tabindex: "0", "aria-label": "Wipe between the two pictures", "aria-valuemin": "0", "aria-valuemax": "100",
  });
  stage.append(make("img", "ef-first", { alt: "", draggable: "false" }), right, handle);
  moves(root, stage, view, handle);
  handle.addEventListener("keydown", (event) => {
    const leap = event.shiftKey ? LEAP : STEP;
    const to = {
      ArrowLeft: view.wipe - leap, ArrowDown: view.wipe - leap, ArrowRight: view.wipe + leap, ArrowUp: view.wipe + leap,
      PageDown: view.wipe - LEAP, PageUp: view.wipe + LEAP, Home: 0, End: 100,
    }[event.key];
    if (to === undefined) return;
    taken(event);
    wipeTo(root, view, to);
  });
  const notes = make("p", "ef-notes");
  box.append(head, stage, notes);
  return box;
}

function fill(root, data, view) {
  const find = Object.fromEntries(data.pictures.map((each) => [each.id, each]));
  for (const figure of root.querySelectorAll("figure")) {
    const picture = find[figure.dataset.id];
    show(figure.querySelector("img"), picture);
    figure.querySelector(".ef-stage").setAttribute("aria-label", `${picture.label}. ${picture.note}`);
    figure.querySelector("b").textContent = picture.label;
    figure.querySelector("span").textContent = picture.note;
  }
  if (data.legend) {
    const box = root.querySelector(".ef-legend");
    box.querySelector("img").src = data.legend.src;
    box.querySelector("b").textContent = "Difference, same scale";
    box.querySelector(".ef-low").textContent = data.legend.low;
    box.querySelector(".ef-high").textContent = data.legend.high;
  }
  show(root.querySelector(".ef-first"), find[view.a]);
  show(root.querySelector(".ef-second"), find[view.b]);
  root.querySelector(".ef-a select").value = view.a;
  root.querySelector(".ef-b select").value = view.b;
  const notes = [find[view.a], find[view.b]].filter((each) => each.note).map((each) => `${each.label}: ${each.note}`);
  root.querySelector(".ef-notes").textContent = [...new Set(notes)].join(" · ");
  wipeTo(root, view, view.wipe);
  place(root, view);
}

function show(image, picture) {
  if (image.src !== picture.src) image.src = picture.src;
  image.alt = picture.label;
  image.classList.toggle("ef-crisp", picture.crisp);
}

function wipeTo(root, view, percent) {
  view.wipe = Math.min(100, Math.max(0, percent));
  const stage = root.querySelector(".ef-two");
  stage.style.setProperty("--wipe", `${view.wipe}%`);
  const handle = stage.querySelector(".ef-handle");
  handle.setAttribute("aria-valuenow", Math.round(view.wipe));
  handle.setAttribute("aria-valuetext", `${Math.round(view.wipe)} % of the left picture`);
}

function zoomTo(root, view, zoom, x = view.x, y = view.y) {
  view.zoom = Math.min(MOST, Math.max(1, zoom));
  view.x = x;
  view.y = y;
  place(root, view);
}

function place(root, view) {
  const half = 0.5 / view.zoom;
  view.x = Math.min(1 - half, Math.max(half, view.x));
  view.y = Math.min(1 - half, Math.max(half, view.y));
  const left = (half - view.x) * 100, top = (half - view.y) * 100;
  root.style.setProperty("--move", `scale(${view.zoom}) translate(${left}%, ${top}%)`);
  root.classList.toggle("ef-near", view.zoom >= 2);
  root.classList.toggle("ef-zoomed", view.zoom > 1);
  root.querySelector(".ef-zoom").textContent = `${Math.round(view.zoom * 100)} %`;
}

function moves(root, stage, view, handle) {
  const share = (event) => {
    const box = stage.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  };
  let from = null;
  stage.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const [x, y] = share(event);
    const wiping = handle && (view.zoom === 1 || event.target === handle);
    from = { x, y, at: { x: view.x, y: view.y }, wiping };
    stage.setPointerCapture(event.pointerId);
    if (wiping) {
      wipeTo(root, view, x * 100);
      handle.focus({ preventScroll: true });
      event.preventDefault();
    }
  });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = share(event);
    if (from.wiping) wipeTo(root, view, x * 100);
    else zoomTo(root, view, view.zoom, from.at.x - (x - from.x) / view.zoom, from.at.y - (y - from.y) / view.zoom);
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => (from = null));
  stage.addEventListener("dblclick", (event) => {
    const [x, y] = share(event);
    const half = 0.5 / view.zoom;
    zoomTo(root, view, view.zoom > 1 ? 1 : 3, view.x - half + x / view.zoom, view.y - half + y / view.zoom);
  });
  stage.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey) return; // the page scrolls, unless asked (a pinch comes so, too)
    event.preventDefault();
    zoomTo(root, view, view.zoom * Math.exp(-event.deltaY / 300));
  }, { passive: false });
  stage.addEventListener("keydown", (event) => {
    if (event.target !== stage || event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 0.1 / view.zoom;
    const act = {
      "+": () => zoomTo(root, view, view.zoom * 1.5), "=": () => zoomTo(root, view, view.zoom * 1.5),
      "-": () => zoomTo(root, view, view.zoom / 1.5), 0: () => zoomTo(root, view, 1),
      ArrowLeft: () => zoomTo(root, view, view.zoom, view.x - step), ArrowRight: () => zoomTo(root, view, view.zoom, view.x + step),
      ArrowUp: () => zoomTo(root, view, view.zoom, view.x, view.y - step),
      ArrowDown: () => zoomTo(root, view, view.zoom, view.x, view.y + step),
    }[event.key];
    if (!act || (view.zoom === 1 && event.key.startsWith("Arrow"))) return;
    taken(event);
    act();
  });
}

function taken(event) {
  event.preventDefault();
  event.stopPropagation();
}
