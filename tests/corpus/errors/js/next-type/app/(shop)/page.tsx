const prices: number[] = [1, 2];

export default function Page() {
  return (
    <main>
      {prices.map((price) => (
        <p key={price}>{prise}</p>
      ))}
    </main>
  );
}
