// Keeps the open page up to date: the server says that something changed, the page fetches its
// messages again and puts in what differs, so that scrolling, focus and opened details stay.
"use strict";

const log = document.getElementById("log");
const list = document.getElementById("messages");
const newer = document.getElementById("newer");
const state = document.getElementById("state");
const slack = 80; // px from the end that still count as being there

function atEnd() {
  return log.scrollHeight - log.scrollTop - log.clientHeight < slack;
}

function toEnd() {
  log.scrollTop = log.scrollHeight;
  newer.hidden = true;
}

function mergeMessages(fresh, first) {
  const wanted = new Set();
  let previous = null;
  let added = 0;
  for (const item of fresh.children) {
    wanted.add(item.id);
    let old = document.getElementById(item.id);
    if (old && old.dataset.rev !== item.dataset.rev) {
      const put = document.importNode(item, true);
      for (const details of put.querySelectorAll("details[data-key]")) {
        const was = old.querySelector("details[data-key='" + details.dataset.key + "']");
        details.open = Boolean(was && was.open);
      }
      put.classList.add("changed");
      old.replaceWith(put);
      old = put;
    }
    if (!old) {
      old = document.importNode(item, true);
      if (!first) old.classList.add("fresh");
      if (previous) previous.after(old); else list.prepend(old);
      added++;
    }
    previous = old;
  }
  for (const item of [...list.children]) {
    if (!wanted.has(item.id)) item.remove();
  }
  return added;
}

let busy = false;
let again = false;

async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch("messages" + location.search, { headers: { Accept: "text/html" } });
    if (!answer.ok) throw new Error("HTTP " + answer.status);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const stay = atEnd();
    for (const part of fresh.querySelectorAll("[data-live]")) {
      const mine = document.getElementById(part.id);
      if (mine && mine.innerHTML !== part.innerHTML) {
        const focused = mine.contains(document.activeElement) && document.activeElement.getAttribute("href");
        mine.replaceChildren(...[...part.childNodes].map((n) => document.importNode(n, true)));
        if (focused) mine.querySelector("[href='" + CSS.escape(focused) + "']")?.focus();
      }
    }
    const added = mergeMessages(fresh.getElementById("messages"), false);
    if (stay) toEnd(); else if (added) newer.hidden = false;
  } catch {
    // The stream tells when the server is gone, and tries again by itself.
  } finally {
    busy = false;
    if (again) {
      again = false;
      refresh();
    }
  }
}

function listen() {
  const stream = new EventSource("events");
  stream.onopen = () => {
    state.textContent = "live";
    state.classList.remove("lost");
  };
  stream.onmessage = refresh;
  stream.onerror = () => {
    state.textContent = "Tocsin does not answer; trying again";
    state.classList.add("lost");
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 3000);
  };
}

newer.addEventListener("click", () => {
  toEnd();
  log.focus();
});
log.addEventListener("scroll", () => {
  if (atEnd()) newer.hidden = true;
}, { passive: true });

toEnd();
listen();
