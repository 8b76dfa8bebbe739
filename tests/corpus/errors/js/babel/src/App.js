export function App() {
  return (
    <main>
      <p>{price +}</p>
    </main>
  );
}
