int main() {
    std::string name;
    return name.size();
}
