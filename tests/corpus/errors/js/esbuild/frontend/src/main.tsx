import { Cart } from "./cart";

export const page = <Cart items={[1, 2} />;
