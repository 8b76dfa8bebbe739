def total(each, count): return each * count
