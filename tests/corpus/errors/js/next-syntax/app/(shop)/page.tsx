export default function Page() {
  return (
    <main>
      <p>prices</div>
    </main>
  );
}
