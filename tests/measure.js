(() => {
  const shown = node => {
    for (let e = node.parentElement; e; e = e.parentElement) {
      const style = getComputedStyle(e);
      if (style.clipPath !== 'none' || style.visibility === 'hidden' || style.display === 'none') return false;
      if (['STYLE', 'TITLE', 'SCRIPT', 'HEAD'].includes(e.tagName)) return false;
    }
    return true;
  };
  const channels = color => color.match(/[\d.]+/g).map(Number);
  const luminance = color => {
    const [r, g, b] = channels(color).slice(0, 3).map(c => c / 255)
      .map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = element => {
    for (let e = element; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (channels(color).length < 4 || channels(color)[3] === 1) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const texts = [];
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode;
    if (!node.data.trim() || !shown(node)) continue;
    const parent = node.parentElement;
    const style = getComputedStyle(parent);
    const [one, two] = [parent.closest('svg') ? style.fill : style.color, behind(parent)].map(luminance);
    const ratio = (Math.max(one, two) + 0.05) / (Math.min(one, two) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)}: ${node.data.trim()}`);
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      // A line box is taller than its letters.
      if (box.width > 1) texts.push({node, text: node.data.trim(), left: box.left + 0.5, right: box.right - 0.5,
        top: box.top + 0.16 * box.height, bottom: box.bottom - 0.16 * box.height});
    }
  }
  const over = [];
  for (let i = 0; i < texts.length; i++) for (let j = 0; j < i; j++) {
    const [a, b] = [texts[i], texts[j]];
    if (a.node !== b.node && a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom)
      over.push(`${b.text} / ${a.text}`);
  }
  const width = document.documentElement.clientWidth;
  const beyond = [...document.querySelectorAll('body *')]
    .filter(e => e.getBoundingClientRect().right > width + 0.5 || e.getBoundingClientRect().left < -0.5)
    .map(e => `${e.tagName} ${e.textContent.trim().slice(0, 40)}`);
  const outside = [];
  for (const tile of document.querySelectorAll('.tile')) {
    const edge = tile.getBoundingClientRect();
    for (const t of texts)
      if (tile.contains(t.node) && (t.left < edge.left || t.right > edge.right || t.bottom > edge.bottom))
        outside.push(t.text);
  }
  return {texts: texts.length, over, faint, beyond, outside,
    scroll: document.documentElement.scrollWidth, width};
})()
