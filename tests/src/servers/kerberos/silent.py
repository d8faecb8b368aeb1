"""silent.py PORT: a KDC that takes everything, by UDP and by TCP, and never answers."""

import selectors
import socket
import sys

address = ("127.0.0.1", int(sys.argv[1]))
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind(address)
listener = socket.create_server(address)
selector = selectors.DefaultSelector()
for one in (datagrams, listener):
    selector.register(one, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            selector.register(listener.accept()[0], selectors.EVENT_READ)
        elif not key.fileobj.recv(65536) and key.fileobj is not datagrams:
            selector.unregister(key.fileobj)
            key.fileobj.close()
