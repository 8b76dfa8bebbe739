import { cart } from "./cart";

cart();
