def start():
    print("started")
