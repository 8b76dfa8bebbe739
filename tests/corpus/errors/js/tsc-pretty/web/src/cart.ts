interface Cart {
  items: string[];
}

export const cart: Cart = { item: [] };
