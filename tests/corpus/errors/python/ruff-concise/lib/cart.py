def size(cart):
    unused = 1
    return len(cart) == None
