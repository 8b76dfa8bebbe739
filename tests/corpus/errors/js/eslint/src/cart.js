const unused = 1;

export function isEmpty(cart) {
  return cart.length == 0 || missing(cart);
}
