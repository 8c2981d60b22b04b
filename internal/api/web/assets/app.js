// Renews the parts of the page that are marked data-live: every few seconds, and at once when an alert changes. Without this
// script the page is whole, only older.
(() => {
  "use strict";
  const body = document.body;
  const every = Number(body.dataset.refresh || 0) * 1000;
  if (!every || !window.fetch || !window.DOMParser) return;

  const lost = document.getElementById("lost");
  const lostSince = document.getElementById("lost-since");
  const announce = document.getElementById("announce");
  let good = new Date(), timer = 0, running = false, again = false;

  // What a person has opened, scrolled or put the focus on stays so.
  function keep(from, to) {
    for (const d of from.querySelectorAll("details[open][data-key]")) {
      const twin = to.querySelector(`details[data-key="${CSS.escape(d.dataset.key)}"]`);
      if (twin) twin.open = true;
    }
  }
  function path(root, node) {
    const steps = [];
    for (; node && node !== root; node = node.parentElement) steps.unshift([...node.parentElement.children].indexOf(node));
    return steps;
  }
  function replace(old, fresh) {
    keep(old, fresh);
    const focus = old.contains(document.activeElement) ? path(old, document.activeElement) : null;
    const scrolled = [...old.querySelectorAll(".scroll")].map((s) => s.scrollLeft);
    old.replaceWith(fresh);
    [...fresh.querySelectorAll(".scroll")].forEach((s, i) => { s.scrollLeft = scrolled[i] || 0; });
    if (focus) {
      let node = fresh;
      for (const i of focus) node = node && node.children[i];
      if (node && node.focus) node.focus({ preventScroll: true });
    }
  }
  function selecting() {
    const s = document.getSelection();
    return s && !s.isCollapsed && document.getElementById("main").contains(s.anchorNode);
  }

  async function renew() {
    if (running) { again = true; return; }
    running = true;
    clearTimeout(timer);
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      const text = await answer.text();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = new DOMParser().parseFromString(text, "text/html");
      const script = (doc) => doc.querySelector("script[src]") && doc.querySelector("script[src]").getAttribute("src");
      if (script(page) && script(page) !== script(document)) { location.reload(); return; } // another version answers
      if (!selecting()) {
        document.title = page.title;
        for (const old of document.querySelectorAll("[data-live][id]")) {
          const fresh = page.getElementById(old.id);
          if (!fresh) { location.reload(); return; } // the page was an error page, or is one now
          keep(old, fresh);
          if (fresh.outerHTML !== old.outerHTML) replace(old, document.adoptNode(fresh));
        }
      }
      good = new Date();
      lost.hidden = true;
    } catch (e) {
      lostSince.textContent = good.toISOString().slice(11, 19) + " UTC";
      lost.hidden = false;
    } finally {
      running = false;
      if (again) { again = false; renew(); } else if (!document.hidden) timer = setTimeout(renew, every);
    }
  }

  let soon = 0;
  function follow(url) {
    const stream = new EventSource(url);
    stream.onmessage = (event) => {
      clearTimeout(soon);
      soon = setTimeout(renew, 300); // an evaluation brings many records at once
      try {
        const r = JSON.parse(event.data);
        announce.textContent = r.annotations && r.annotations.summary ? r.annotations.summary : `${r.change}: ${r.subject_key}`;
      } catch (e) { /* not for us */ }
    };
    addEventListener("pagehide", () => stream.close());
    addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
  }

  document.addEventListener("visibilitychange", () => { clearTimeout(timer); if (!document.hidden) renew(); });
  timer = setTimeout(renew, every);
  if (body.dataset.stream && window.EventSource) follow(body.dataset.stream);
})();
