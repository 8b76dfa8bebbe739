def total(a: int, b: int) -> int:
    return str(a + b)


total("1", 2)
