// The checkout page: state in one object, drawn whole after each change, every change told to the service.

const state = { cart: new Map(), shopper: null, found: [], recommended: [], asked: 0, refused: false };
const accessKey = document.querySelector('meta[name="access-key"]').content;
const anonymousId = stored(localStorage, "tillwise.anonymousId");
const sessionId = stored(sessionStorage, "tillwise.sessionId");
const ITEMS_SHOWN = 6;
const element = (id) => document.getElementById(id);

function stored(storage, name) {
  if (!storage.getItem(name)) storage.setItem(name, newId());
  return storage.getItem(name);
}

function newId() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

// --- the service ---------------------------------------------------------------------------------------------------

async function call(path, body) {
  // What is asked without a body is the same for everybody: without a key, so that caches may answer it.
  const headers = { "Content-Type": "application/json", ...(accessKey ? { Authorization: `Bearer ${accessKey}` } : {}) };
  const options = body === undefined ? {} : { method: "POST", body: JSON.stringify(body), headers };
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The shop's service does not answer. Check that it runs, then try again.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const said = answer.error ? `${answer.error.field}: ${answer.error.reason}` : `status ${response.status}`;
    throw Object.assign(new Error(`The shop's service refused (${said}).`), { status: response.status });
  }
  return answer;
}

// Without a key that may collect, where one is asked for, nothing is told; shopping goes on all the same.
async function tell(path, what) {
  try {
    await call(path, { ...what, anonymousId, messageId: newId(), context: { sessionId } });
    state.refused = false;
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
    state.refused = true;
  }
}

async function track(event, properties) {
  const who = state.shopper ? { userId: state.shopper } : {};
  await tell("/v1/track", { ...who, event, properties });
}

function line(product, quantity) {
  const price = product.price === null ? {} : { price: product.price };
  return { product_id: product.product_id, quantity, ...price };
}

async function recommend() {
  const asked = ++state.asked;
  const cart = [...state.cart.values()].map(({ product, quantity }) => ({ product_id: product.product_id, quantity }));
  const who = state.shopper ? { shopper_id: state.shopper } : {};
  const answer = await call("/v1/recommendations", { session_id: sessionId, cart, k: ITEMS_SHOWN, checkout_step: 1, ...who });
  if (asked !== state.asked) return; // the cart has changed since: a newer question is on its way
  state.recommended = answer.items;
  const fallback = answer.fallback ? ` · fallback: ${answer.fallback.reason}` : "";
  const untold = state.refused ? " · what you do here is not recorded: this page has no key for it" : "";
  element("served").textContent = `Model ${answer.model_version} · ${answer.arm.replaceAll("_", " ")}${fallback}${untold}`;
  drawRecommendations();
}

// --- what a shopper does -------------------------------------------------------------------------------------------

async function change(product, quantity) {
  const before = state.cart.get(product.product_id)?.quantity ?? 0;
  if (quantity > 0) state.cart.set(product.product_id, { product, quantity });
  else state.cart.delete(product.product_id);
  state.recommended = state.recommended.filter((item) => !state.cart.has(item.product_id));
  element("confirmation").textContent = "";
  drawCart();
  drawRecommendations();
  await attempt(async () => {
    const event = quantity > before ? "Product Added" : "Product Removed";
    await track(event, line(product, Math.abs(quantity - before)));
    await recommend();
  });
}

const add = (product) => change(product, (state.cart.get(product.product_id)?.quantity ?? 0) + 1);

async function addRecommended(product) {
  await attempt(() => track("Product Clicked", line(product, 1)));
  await add(product);
}

async function placeOrder() {
  const products = [...state.cart.values()].map(({ product, quantity }) => line(product, quantity));
  await attempt(async () => {
    await track("Order Completed", { order_id: newId(), products });
    state.cart.clear();
    drawCart();
    element("confirmation").textContent = `Thank you! Your order of ${products.length} product${products.length > 1 ? "s" : ""} is placed.`;
    await recommend();
  });
}

async function useShopper(event) {
  event.preventDefault();
  state.shopper = element("shopper").value.trim() || null;
  await attempt(async () => {
    if (state.shopper) {
      await tell("/v1/identify", { userId: state.shopper });
    }
    element("shopper-note").textContent = state.shopper ? `Recommending for shopper ${state.shopper}` : "Recommending for anybody";
    await recommend();
  });
}

async function search() {
  const words = element("search").value;
  await attempt(async () => {
    const answer = await call(`/v1/products?limit=8&q=${encodeURIComponent(words)}`);
    if (words !== element("search").value) return;
    state.found = answer.items;
    drawFound();
  });
}

async function attempt(what) {
  try {
    await what();
    element("trouble").hidden = true;
  } catch (error) {
    element("trouble-text").textContent = error.message;
    element("trouble").hidden = false;
  }
}

// --- drawing -------------------------------------------------------------------------------------------------------

const money = (amount) => (amount === null ? "–" : `$${amount.toFixed(2)}`);

function card(product, reason, ...controls) {
  const item = document.createElement("li");
  item.dataset.productId = product.product_id;
  const text = document.createElement("div");
  for (const [name, content] of [["title", product.title], ["fine", product.category], ["reason", reason]]) {
    if (!content) continue;
    const part = document.createElement("p");
    part.className = name;
    part.textContent = content;
    text.append(part);
  }
  const side = document.createElement("div");
  side.className = "side";
  const price = document.createElement("span");
  price.className = "price";
  price.textContent = money(product.price);
  side.append(price, ...controls);
  item.append(text, side);
  return item;
}

function button(label, spoken, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.setAttribute("aria-label", spoken);
  made.addEventListener("click", action);
  return made;
}

function nothing(text) {
  const item = document.createElement("li");
  item.className = "fine";
  item.textContent = text;
  return [item];
}

function drawFound() {
  const cards = state.found.map((product) => card(product, "", button("Add", `Add ${product.title}`, () => add(product))));
  element("found").replaceChildren(...(cards.length ? cards : nothing("No product matches these words.")));
}

function drawCart() {
  const lines = [...state.cart.values()];
  const cards = lines.map(({ product, quantity }) => {
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = quantity;
    return card(
      product,
      "",
      button("−", `One less of ${product.title}`, () => change(product, quantity - 1)),
      count,
      button("+", `One more of ${product.title}`, () => change(product, quantity + 1)),
    );
  });
  element("cart").replaceChildren(...cards);
  element("cart-empty").hidden = lines.length > 0;
  element("order").disabled = lines.length === 0;
  const known = lines.filter(({ product }) => product.price !== null);
  const total = known.reduce((sum, { product, quantity }) => sum + product.price * quantity, 0);
  element("total").textContent = known.length ? money(total) + (known.length < lines.length ? " + unpriced" : "") : "–";
}

function drawRecommendations() {
  const cards = state.recommended.map((product) =>
    card(product, product.reason, button("Add", `Add recommended ${product.title}`, () => addRecommended(product))),
  );
  element("recommendations").replaceChildren(...(cards.length ? cards : nothing("Nothing to recommend right now.")));
}

// --- start ---------------------------------------------------------------------------------------------------------

let typing;
element("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, 150);
});
element("shopper-form").addEventListener("submit", useShopper);
element("order").addEventListener("click", placeOrder);
element("retry").addEventListener("click", () => attempt(async () => { await search(); await recommend(); }));
drawCart();
await search();
await attempt(recommend);
