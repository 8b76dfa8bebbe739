import { Basket } from "../../parts/basket";

export default function Page() {
  return <Basket />;
}
