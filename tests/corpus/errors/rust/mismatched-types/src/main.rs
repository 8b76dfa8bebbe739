mod price;

fn main() {
    println!("{}", price::total());
}
