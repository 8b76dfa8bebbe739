fn main() {
    let numbers = vec![1, 2, 3];
    for i in 0..numbers.len() {
        println!("{}", numbers[i]);
    }
}
