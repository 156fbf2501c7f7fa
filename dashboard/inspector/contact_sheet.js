// A contact sheet: each face is a button that opens it. data: {faces: [{id, name, line, vlr, made, hr, label}]}

export default function ({ data, parentElement, setTriggerValue }) {
  const root = parentElement.querySelector(".ef-sheet");
  root.replaceChildren(
    ...data.faces.map((face) => {
      const button = document.createElement("button");
      button.type = "button";
      button.dataset.id = face.id;
      button.setAttribute("aria-label", `Open ${face.name}: ${face.line}`);
      const row = document.createElement("span");
      row.className = "ef-three";
      for (const [kind, label] of [["vlr", "VLR"], ["made", face.label], ["hr", "HR"]]) {
        const image = document.createElement("img");
        image.src = face[kind];
        image.alt = label;
        image.title = label;
        image.loading = "lazy";
        if (kind === "vlr") image.className = "ef-crisp";
        row.append(image);
      }
      const name = document.createElement("b");
      name.textContent = face.name;
      const line = document.createElement("small");
      line.textContent = face.line;
      button.append(row, name, line);
      button.addEventListener("click", () => setTriggerValue("chosen", face.id));
      return button;
    }),
  );
}
