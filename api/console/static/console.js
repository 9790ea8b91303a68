// What the forms gain where scripts run: no loading of whole pages, keys, saving while people type.
// Everything is a form or a link that works without it. Nothing is stored, nobody else is asked.
"use strict";

(() => {
  const SAVE_AFTER_MS = 300;
  const AGAIN_AFTER_MS = 2000;
  const BURST_MS = 45; // a barcode gun types faster than people
  const SEQUENCE_MS = 1200;
  const IDLE_MS = 5 * 60 * 1000;
  const said = document.body.dataset;
  const byId = (id) => document.getElementById(id);
  document.documentElement.classList.add("scripted");

  const tell = (id, text) => {
    const place = byId(id);
    if (place.textContent !== text) place.textContent = text;
  };

  const alreadyTold = () => Object.assign(new Error("told"), { isTold: true });

  // --- one thing after the other: a key that is pressed meanwhile finds the page it was meant for
  let last = Promise.resolve();
  let waiting = 0;
  const inTurn = (work) => {
    waiting += 1;
    last = last.then(work).catch((error) => { if (!error.isTold) tell("trouble", said.lost); }).finally(() => { waiting -= 1; });
    return last;
  };

  // --- answers take the place of what is shown ------------------------------------------------
  const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

  const keepPlaces = () => {
    const scrolled = Array.from(document.querySelectorAll("[data-keep-scroll]"), (e) => [e.id, e.scrollTop, e.scrollLeft]);
    const opened = Array.from(document.querySelectorAll("main details[open][id]"), (e) => e.id);
    const focused = document.activeElement;
    const inMain = focused && focused !== document.body && byId("content").contains(focused);
    const id = inMain ? focused.id : "";
    return (keepOpen) => {
      for (const [place, top, left] of scrolled) if (byId(place)) byId(place).scrollTo(left, top);
      if (keepOpen) for (const place of opened) if (byId(place)) byId(place).open = true;
      if (!inMain) return;
      const same = id && byId(id);
      if (same && !same.disabled) same.focus({ preventScroll: true });
      else (byId("page-title") || byId("content")).focus({ preventScroll: true });
    };
  };

  const showCurrent = () => {
    const row = document.querySelector(".strip [aria-current]");
    if (row) row.scrollIntoView({ block: "nearest" });
    const place = document.querySelector(".zoomed .mark.current");
    if (place) place.scrollIntoView({ block: "center", inline: "center" });
  };

  // a field that waits comes first; its place is shown
  const focusWanted = () => {
    const wanted = byId("content").querySelector("[autofocus]");
    if (!wanted) return;
    wanted.focus();
    if (wanted.select) wanted.select();
  };

  const shown = (answer, text, push, isQuiet = false) => {
    const found = parsed(text);
    const main = found.getElementById("content");
    if (!main) throw new Error("no page");
    const refused = main.querySelector("[data-refused] [data-message]");
    if (refused) {
      tell("trouble", refused.textContent.trim());
      return false;
    }
    if (new URL(answer.url).pathname === "/console/sign-in") {
      tell("trouble", said.signedOut);
      return false;
    }
    const restore = keepPlaces();
    document.title = found.title;
    byId("content").replaceWith(document.importNode(main, true));
    const place = new URL(answer.url);
    const told = place.searchParams.has("said");
    place.searchParams.delete("said");
    if (push && place.href !== location.href) history.pushState(null, "", place);
    else history.replaceState(null, "", place);
    restore(!push);
    showCurrent();
    if (isQuiet) return true;
    focusWanted();
    tell("trouble", "");
    tell("said", told ? found.getElementById("said").textContent.trim() : "");
    document.dispatchEvent(new Event("shown"));
    return true;
  };

  const asked = async (url, options, push) => {
    const answer = await fetch(url, { credentials: "same-origin", ...options });
    return shown(answer, await answer.text(), push);
  };

  const send = async (form, button) => {
    await flush();
    const data = new FormData(form, button);
    if (button && button.disabled) return;
    await asked(form.action, { method: "POST", body: new URLSearchParams(data) }, false);
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-upload]")) {
      event.preventDefault();
      inTurn(() => upload(form));
    } else if (form.matches("[data-swap]")) {
      event.preventDefault();
      const button = event.submitter;
      inTurn(() => send(form, button));
    }
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey && event.button === 0) {
      event.preventDefault();
      inTurn(async () => { await flush(); await asked(link.href, {}, true); });
    }
    const opener = event.target.closest("[data-open]");
    if (opener) byId(opener.dataset.open).showModal();
  });
  window.addEventListener("popstate", () => inTurn(() => asked(location.href, {}, false)));

  // --- files go one by one, so that what broke off is short; what is there is not sent twice ----
  const upload = async (form) => {
    const input = form.querySelector("input[type=file]");
    const progress = form.querySelector(".progress");
    const bar = progress.querySelector("progress");
    const text = progress.querySelector(".progress-text");
    const files = Array.from(input.files);
    if (!files.length) return;
    progress.hidden = false;
    let told = 0;
    let answer = null;
    for (const [number, file] of files.entries()) {
      const data = new FormData();
      for (const entry of form.querySelectorAll("input[type=hidden]")) data.append(entry.name, entry.value);
      data.append("files", file, file.name);
      try {
        answer = await posted(form.action, data, (part) => {
          bar.value = (100 * (number + part)) / files.length;
          if (Date.now() - told < 5000) return;
          told = Date.now();
          text.textContent = `${form.dataset.sending} ${number + 1}/${files.length}`;
        });
      } catch {
        progress.hidden = true;
        tell("trouble", form.dataset.failed);
        return;
      }
      if (!answer.ok) break;
    }
    progress.hidden = true;
    if (answer.ok) input.value = "";
    shown(answer, answer.text, false);
  };

  const posted = (url, data, seen) => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url);
    request.upload.addEventListener("progress", (sent) => {
      if (sent.lengthComputable) seen(sent.loaded / sent.total);
    });
    request.addEventListener("load", () => resolve({
      url: request.responseURL, text: request.responseText, ok: request.status === 200,
    }));
    request.addEventListener("error", () => reject(new Error("not sent")));
    request.send(data);
  });

  // --- what machines still work at is looked at again ------------------------------------------
  const isChanged = () => Array.from(byId("content").querySelectorAll("input, select, textarea")).some((e) => {
    if (e.matches("select")) return Array.from(e.options).some((o) => o.selected !== o.defaultSelected && e.selectedIndex > 0);
    if (e.type === "file") return e.files.length > 0;
    return e.value !== e.defaultValue || e.checked !== e.defaultChecked;
  });
  let looked = Date.now();
  let seen = byId("content").innerHTML;
  document.addEventListener("shown", () => { seen = byId("content").innerHTML; });
  setInterval(async () => {
    const regions = Array.from(document.querySelectorAll("[data-poll]"));
    if (!regions.length || waiting || document.hidden || document.querySelector("dialog[open]")) return;
    if (Date.now() - looked < Math.min(...regions.map((e) => Number(e.dataset.poll)))) return;
    looked = Date.now();
    inTurn(async () => {
      const answer = await fetch(location.href, { credentials: "same-origin" });
      if (!answer.ok || answer.redirected) return;
      const text = await answer.text();
      const found = parsed(text);
      const isUsed = isTyping(document.activeElement) || isChanged();
      const state = (doc) => (doc.querySelector("#bar .state") || { textContent: "" }).textContent;
      const changed = state(found) !== state(document) ? state(found) : "";
      const main = found.getElementById("content");
      if (!isUsed) {
        if (main && main.innerHTML !== seen) shown(answer, text, false, true);
        seen = main && main.innerHTML;
      } else {
        const restore = keepPlaces();
        for (const region of regions) {
          const fresh = found.getElementById(region.id);
          if (fresh && fresh.innerHTML !== region.innerHTML) region.replaceWith(document.importNode(fresh, true));
        }
        restore(true);
      }
      if (changed) tell("said", changed);
    });
  }, 500);

  // --- what is typed is saved; "saved" is said only of what the server has on its disk -----------
  const unsaved = new Map();
  const mark = (input, text, state) => {
    const place = byId(`saved-${input.id}`);
    if (!place) return;
    place.textContent = text;
    place.dataset.state = state;
  };
  const save = async (input, keepalive = false) => {
    const value = input.value;
    input.dataset.version = Number(input.dataset.version) + 1; // a late repeat changes nothing
    const form = new URLSearchParams({ "form-token": input.form.elements["form-token"].value, target: input.dataset.target, value, version: input.dataset.version });
    const answer = await fetch(input.dataset.save, { method: "POST", body: form, credentials: "same-origin", keepalive, headers: { accept: "application/json" } });
    if (answer.redirected && new URL(answer.url).pathname === "/console/sign-in") {
      tell("trouble", said.signedOut);
      throw alreadyTold();
    }
    if (!answer.ok) {
      const refused = parsed(await answer.text()).querySelector("[data-message]");
      if (refused) tell("trouble", refused.textContent.trim());
      throw refused ? alreadyTold() : new Error("not saved");
    }
    if (input.value === value) {
      unsaved.delete(input);
      mark(input, input.dataset.saved, "saved");
    }
  };
  const later = (input, pause) => {
    clearTimeout(unsaved.get(input));
    unsaved.set(input, setTimeout(() => {
      if (!input.isConnected) unsaved.delete(input);
      else save(input).catch(() => { mark(input, input.dataset.unsaved, "unsaved"); later(input, AGAIN_AFTER_MS); });
    }, pause));
  };
  const flush = async () => {
    for (const input of Array.from(unsaved.keys())) {
      clearTimeout(unsaved.get(input));
      if (input.isConnected) await save(input);
      else unsaved.delete(input);
    }
  };
  const typed = (event) => {
    const input = event.target;
    if (!input.matches || !input.matches("[data-save]") || event.isComposing) return; // Telex is at work
    mark(input, input.dataset.saving, "saving");
    later(input, SAVE_AFTER_MS);
  };
  document.addEventListener("input", typed);
  document.addEventListener("compositionend", typed);
  window.addEventListener("pagehide", () => {
    for (const input of unsaved.keys()) save(input, true).catch(() => {});
  });

  // --- who works at a paper keeps it ------------------------------------------------------------
  let active = Date.now();
  let kept = Date.now();
  for (const sign of ["keydown", "pointerdown"]) document.addEventListener(sign, () => { active = Date.now(); });
  setInterval(() => {
    const paper = document.querySelector("[data-keep]");
    const token = document.querySelector("[name=form-token]");
    if (!paper || Date.now() - active > IDLE_MS || Date.now() - kept < 1000 * Number(paper.dataset.keepS)) return;
    kept = Date.now();
    fetch(paper.dataset.keep, { method: "POST", credentials: "same-origin", body: new URLSearchParams({ "form-token": token.value }) })
      .then((answer) => { if (!answer.ok) throw new Error("lost"); })
      .catch(() => tell("trouble", said.lost));
  }, 1000);

  // --- keys: each presses what carries its name in data-key -----------------------------------
  const isTyping = (e) => Boolean(e) && (e.isContentEditable || e.matches("textarea, select, input:not([type=checkbox]):not([type=radio]):not([type=button]):not([type=submit])"));
  const keyOf = (event) => [event.ctrlKey || event.metaKey ? "ctrl" : "", event.altKey ? "alt" : "", event.key.toLowerCase()].filter(Boolean).join("+");
  const bearer = (key) => Array.from(document.querySelectorAll("[data-key]")).find(
    (e) => (e.dataset.key === key || (!e.dataset.key.startsWith("g ") && e.dataset.key.split(" ").includes(key))) && e.getClientRects().length);
  const press = (key) => inTurn(() => {
    const found = bearer(key);
    if (!found || found.disabled) return;
    if (found.matches("input, textarea")) {
      found.focus();
      found.select();
    } else setTimeout(() => {
      found.click();
      const inside = found.parentElement.matches("details[open]") && found.parentElement.querySelector("input[type=file]");
      if (inside) inside.focus();
    });
  });

  let prefix = "";
  let prefixAt = 0;
  let burst = "";
  let burstAt = 0;
  let pending = 0;
  const letter = (key) => {
    if (prefix && Date.now() - prefixAt < SEQUENCE_MS && bearer(`${prefix} ${key}`)) press(`${prefix} ${key}`);
    else if (key === "g") [prefix, prefixAt] = ["g", Date.now()];
    else press(key);
    if (key !== "g") prefix = "";
  };
  document.addEventListener("keydown", (event) => {
    if (event.isComposing || event.defaultPrevented || document.querySelector("dialog[open]")) return;
    const target = document.activeElement;
    const key = keyOf(event);
    const isModified = event.ctrlKey || event.metaKey || event.altKey;
    const isFunction = /^f\d+$/.test(key);
    if (isModified || isFunction) {
      if (key === "ctrl+z" && isTyping(target) && target.value !== target.defaultValue) return; // its own undo
      if (!bearer(key)) return;
      event.preventDefault();
      press(key);
      return;
    }
    if (isTyping(target)) return;
    if (event.key.length === 1) {
      const now = event.timeStamp;
      clearTimeout(pending);
      burst = now - burstAt < BURST_MS ? burst + event.key : event.key;
      burstAt = now;
      if (said.letterKeys === "off" || key === " ") return;
      if (bearer(key) || key === "g" || prefix) event.preventDefault();
      if (burst.length === 1) pending = setTimeout(() => letter(key), BURST_MS);
      return;
    }
    if (event.key === "Enter" && burst.length >= 4 && event.timeStamp - burstAt < BURST_MS) {
      event.preventDefault();
      location.assign(`/console/find?code=${encodeURIComponent(burst)}`);
      burst = "";
      return;
    }
    if (event.key === "Enter" && target.matches("a, button, summary")) return;
    if (event.key.startsWith("Arrow") && target.matches("#desk")) return;
    if (bearer(key)) {
      event.preventDefault();
      if (!event.repeat || !waiting) press(key);
    }
  });

  const place = new URL(location.href);
  if (place.searchParams.has("said")) {
    place.searchParams.delete("said");
    history.replaceState(null, "", place);
  }
  focusWanted();
  showCurrent();
})();
