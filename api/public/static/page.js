// What the forms gain where scripts run: dropping a file, progress, and no empty upload.
// Everything works without it. Nothing here is stored, and nobody else is asked.
"use strict";

(() => {
  const form = document.getElementById("upload");
  if (!form || !window.FormData || !window.DataTransfer) return;
  const said = form.dataset;
  const input = form.querySelector("input[type=file]");
  const field = form.querySelector(".field");
  const error = form.querySelector(".error");
  const chosen = form.querySelector(".chosen");
  const button = form.querySelector("button[type=submit]");
  const progress = form.querySelector(".progress");
  const bar = progress.querySelector("progress");
  const status = progress.querySelector(".progress-text");

  form.querySelector(".drop-hint").hidden = false;

  const complain = (text) => {
    error.textContent = text;
    error.hidden = !text;
    field.classList.toggle("has-error", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };

  const look = () => {
    const file = input.files[0];
    chosen.textContent = file ? `${said.chosen} ${file.name}` : "";
    complain(file && file.size > Number(said.most) ? said.tooLarge : "");
  };
  input.addEventListener("change", look);

  // the whole window takes the file, so that a near miss does not open it in the browser
  let depth = 0;
  const isFile = (event) => Array.from(event.dataTransfer.types).includes("Files");
  window.addEventListener("dragenter", (event) => {
    if (!isFile(event)) return;
    depth += 1;
    field.classList.add("dropping");
  });
  window.addEventListener("dragleave", (event) => {
    if (!isFile(event)) return;
    depth = Math.max(0, depth - 1);
    if (!depth) field.classList.remove("dropping");
  });
  window.addEventListener("dragover", (event) => {
    if (isFile(event)) event.preventDefault();
  });
  window.addEventListener("drop", (event) => {
    if (!isFile(event)) return;
    event.preventDefault();
    depth = 0;
    field.classList.remove("dropping");
    const one = new DataTransfer();
    if (event.dataTransfer.files.length) one.items.add(event.dataTransfer.files[0]);
    input.files = one.files;
    look();
    button.focus();
  });

  const show = (page) => {
    const found = new DOMParser().parseFromString(page, "text/html");
    const main = found.querySelector("main");
    if (!main) return false;
    document.title = found.title;
    document.querySelector("main").replaceWith(document.importNode(main, true));
    document.querySelector("main").focus();
    return true;
  };

  const ended = (text) => {
    button.disabled = false;
    progress.hidden = true;
    complain(text);
    input.focus();
  };

  form.addEventListener("submit", (event) => {
    const file = input.files[0];
    if (!file || file.size > Number(said.most)) {
      if (file) event.preventDefault();
      return; // the browser says that a file is missing
    }
    event.preventDefault();
    const request = new XMLHttpRequest();
    let told = 0;
    request.open("POST", form.action);
    request.upload.addEventListener("progress", (sent) => {
      if (!sent.lengthComputable) return;
      bar.value = (100 * sent.loaded) / sent.total;
      const now = Date.now();
      if (now - told > 5000) {
        told = now;
        status.textContent = `${said.sending} ${Math.round(bar.value)} %`;
      }
    });
    request.upload.addEventListener("load", () => {
      bar.removeAttribute("value");
      status.textContent = said.checking;
    });
    request.addEventListener("load", () => {
      if (request.status === 200 && request.responseURL.includes("/verify/results/")) {
        window.location.assign(request.responseURL);
      } else if (!show(request.responseText)) {
        ended(said.failed);
      }
    });
    request.addEventListener("error", () => ended(said.failed));
    complain("");
    button.disabled = true;
    progress.hidden = false;
    request.send(new FormData(form));
  });
  // back from an answer: the page may come out of the browser's memory as it was left
  window.addEventListener("pageshow", () => {
    button.disabled = false;
    progress.hidden = true;
    look();
  });
})();
