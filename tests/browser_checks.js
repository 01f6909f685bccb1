// What tests ask of a page; each check gives a list of the places where it fails.
var checks = (() => {
  const name = element => element.outerHTML.replace(/\s+/g, " ").slice(0, 120);
  const isVisible = element => element.checkVisibility({visibilityProperty: true, opacityProperty: true}) &&
    [...element.getClientRects()].some(box => box.width > 1 && box.height > 1);

  // Everything open and at rest
  const unfold = () => {
    document.querySelectorAll("details").forEach(details => { details.open = true; });
    const style = document.createElement("style");
    style.textContent = "* { transition: none !important; animation: none !important; }";
    document.head.append(style);
  };

  const scrollers = () => [...document.querySelectorAll("body *")].filter(element =>
    /auto|scroll/.test(getComputedStyle(element).overflowX) && element.scrollWidth > element.clientWidth + 1 && isVisible(element));

  const clipped = element => {
    for (let at = element.parentElement; at && at !== document.body; at = at.parentElement)
      if (getComputedStyle(at).overflowX !== "visible") return true;
    return false;
  };

  const overflow = () => {
    const root = document.documentElement, found = [];
    if (root.scrollWidth > root.clientWidth) found.push(`the page: ${root.scrollWidth} of ${root.clientWidth}`);
    for (const element of document.querySelectorAll("body *")) {
      const box = element.getBoundingClientRect();
      if (box.right > root.clientWidth + 1 && box.left < root.clientWidth && isVisible(element) && !clipped(element) &&
          !element.closest("svg, math") && getComputedStyle(element).position !== "fixed") found.push(name(element));
    }
    return found.slice(0, 10);
  };

  // Any colour that CSS knows, as red, green, blue in 0..255 and alpha in 0..1
  const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
  const known = new Map();
  const rgba = colour => {
    if (!known.has(colour)) {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3])).concat(1);
  const luminance = colour => {
    const [r, g, b] = colour.slice(0, 3).map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (high + 0.05) / (low + 0.05);
  };
  const canvasColour = () => matchMedia("(prefers-color-scheme: dark)").matches &&
    getComputedStyle(document.documentElement).colorScheme.includes("dark") ? [18, 18, 18, 1] : [255, 255, 255, 1];

  // Backgrounds of an element and all around it, laid over one another; opacity fades both text and background
  const background = element => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const style = getComputedStyle(at);
      if (at instanceof SVGElement && at.tagName !== "svg") continue;
      const colour = rgba(style.backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] >= 1) break;
    }
    return layers.reverse().reduce((below, top) => over(top, below), canvasColour());
  };
  const opacity = element => {
    let product = 1;
    for (let at = element; at; at = at.parentElement) product *= parseFloat(getComputedStyle(at).opacity);
    return product;
  };
  // Shapes of a drawing under the middle of its text
  const shapesUnder = async (element, below) => {
    element.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
    const box = element.getBoundingClientRect();
    const under = document.elementsFromPoint(box.left + box.width / 2, box.top + box.height / 2)
      .filter(shape => (shape instanceof SVGGeometryElement || /^(use|image)$/.test(shape.tagName)) && !element.contains(shape));
    for (const shape of under.reverse()) {
      if (shape.tagName === "image") {
        const picture = new Image();
        picture.src = shape.getAttribute("href") || shape.getAttributeNS("http://www.w3.org/1999/xlink", "href");
        await picture.decode();
        // The place inside the picture, also of one that is drawn upside down
        const point = new DOMPoint(box.left + box.width / 2, box.top + box.height / 2).matrixTransform(shape.getScreenCTM().inverse());
        const x = (point.x - shape.x.baseVal.value) / shape.width.baseVal.value * picture.naturalWidth;
        const y = (point.y - shape.y.baseVal.value) / shape.height.baseVal.value * picture.naturalHeight;
        canvas.clearRect(0, 0, 1, 1);
        canvas.drawImage(picture, -Math.floor(x), -Math.floor(y));
        const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
        below = over([r, g, b, a / 255], below);
      } else {
        const style = getComputedStyle(shape);
        if (style.fill === "none") continue;
        const fill = rgba(style.fill);
        below = over([...fill.slice(0, 3), fill[3] * parseFloat(style.fillOpacity) * parseFloat(style.opacity)], below);
      }
    }
    return below;
  };

  const contrast = async () => {
    const found = [], texts = new Map();
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
      if (text && !texts.has(element) && !element.closest("script, style, noscript, template, title") && isVisible(element))
        texts.set(element, text);
    }
    for (const [element, text] of texts) {
      const style = getComputedStyle(element), isDrawn = element.closest("svg") !== null;
      // Clipped away for the eye, kept for those who listen
      if (style.clip !== "auto" || style.clipPath !== "none") continue;
      let below = background(element);
      if (isDrawn) below = await shapesUnder(element, below);
      const ink = rgba(isDrawn ? style.fill : style.color);
      const seen = over([...ink.slice(0, 3), ink[3] * opacity(element)], below);
      const size = parseFloat(style.fontSize), isLarge = size >= 24 || (size >= 18.66 && parseInt(style.fontWeight) >= 700);
      const value = ratio(seen, below);
      if (value < (isLarge ? 3 : 4.5) - 0.005)
        found.push(`${value.toFixed(2)} "${text.slice(0, 30)}" ${seen.map(Math.round)} on ${below.map(Math.round)} ${name(element)}`);
    }
    scrollTo(0, 0);
    return found.slice(0, 12);
  };

  const brokenImages = () => [...document.images].filter(image => isVisible(image) && image.complete && image.naturalWidth === 0).map(name);

  // What a mouse can use or read, the Tab key must come to
  let reached = new Set(), wanted = [], presses = 0;
  const watchFocus = () => {
    const usable = [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])")];
    const told = [...document.querySelectorAll("[title]")].filter(element => !element.closest("head, svg"));
    wanted = [...new Set([...usable, ...told, ...scrollers()])].filter(element => isVisible(element) && !element.disabled);
    reached = new Set();
    presses = 0;
    document.addEventListener("focusin", event => reached.add(event.target));
    document.activeElement.blur();
    scrollTo(0, 0);
    return wanted.length;
  };
  // The one radio button of a group that Tab comes to; arrow keys go on from there, and labels are for the mouse
  const isOfGroup = (at, element) => at.type === "radio" && at.name === (element.control || element).name;
  const isAround = () => ++presses > 1 && (document.activeElement === null || document.activeElement === document.body);
  const unreached = () => wanted.filter(element => isVisible(element) &&
    ![...reached].some(at => at === element || element.contains(at) || isOfGroup(at, element))).map(name).slice(0, 12);

  return {unfold, overflow, contrast, brokenImages, watchFocus, isAround, unreached};
})();
