// Returns what a reader cannot read on the page: text that is cut off or lies over other text.
() => {
  const SLACK = 2; // pixels that a glyph's box may reach beyond its line
  const clips = (style) => /hidden|clip/.test(style);
  const scrolls = (style) => /auto|scroll/.test(style);
  const isForScreenReaders = (element) => {
    for (let around = element; around; around = around.parentElement) {
      const { width, height } = around.getBoundingClientRect();
      if (Math.min(width, height) <= 1 && clips(getComputedStyle(around).overflow)) return true;
    }
    return false;
  };
  const isBehind = (element, top) => {
    for (let above = top; above && !above.contains(element); above = above.parentElement) {
      const { backgroundColor, backgroundImage } = getComputedStyle(above);
      if (backgroundImage !== "none" || !/rgba?\(.*, 0\)|transparent/.test(backgroundColor)) return true;
    }
    return false;
  };
  const quoted = (node) => `“${node.textContent.trim().replace(/\s+/g, " ").slice(0, 60)}”`;
  const texts = [];
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    const parent = node.parentElement;
    if (!node.textContent.trim() || !parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    if (parent.closest("script, style, select, textarea") || isForScreenReaders(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 2 || box.height < 2 || box.bottom < 0 || box.right < 0) continue;
      let [reachable, cut] = [true, false];
      for (let around = parent; around; around = around.parentElement) {
        const style = getComputedStyle(around);
        const frame = around.getBoundingClientRect();
        const wide = box.right > frame.right + SLACK || box.left < frame.left - SLACK;
        const high = box.bottom > frame.bottom + SLACK || box.top < frame.top - SLACK;
        if ((wide && scrolls(style.overflowX)) || (high && scrolls(style.overflowY))) {
          reachable = false;
          break;
        }
        if ((wide && clips(style.overflowX)) || (high && clips(style.overflowY))) {
          cut = cut || !(wide && style.textOverflow === "ellipsis" && around.title);
        }
        if (style.position === "fixed") break;
      }
      if (!reachable) continue;
      if (cut) found.add(`cut: ${quoted(node)}`);
      if (box.right > innerWidth + SLACK) found.add(`beyond the window: ${quoted(node)}`);
      const top = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
      if (top && !isBehind(parent, top)) texts.push({ node, box });
    }
  }
  texts.sort((one, other) => one.box.top - other.box.top);
  for (let first = 0; first < texts.length; first += 1) {
    for (let second = first + 1; second < texts.length; second += 1) {
      const [a, b] = [texts[first], texts[second]];
      if (b.box.top > a.box.bottom) break;
      if (a.node === b.node) continue;
      const width = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const height = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (width > SLACK && height > 0.3 * Math.min(a.box.height, b.box.height)) {
        found.add(`overlap: ${quoted(a.node)} and ${quoted(b.node)}`);
      }
    }
  }
  return [...found];
}
