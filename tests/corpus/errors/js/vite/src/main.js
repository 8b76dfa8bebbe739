import { cart } from "./cart.js";

cart();
