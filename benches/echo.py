"""The echo of the benchmark as Python's socketserver has it: a thread for each.

python3 benches/echo.py tcp|udp ADDRESS BUFFER
"""

import socketserver
import sys


class Stream(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(BUFFER):
                self.request.sendall(data)
        except ConnectionError:
            pass  # A visitor who resets is gone as well.


class Datagram(socketserver.BaseRequestHandler):
    def handle(self):
        data, socket = self.request
        socket.sendto(data, self.client_address)


class StreamServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


class DatagramServer(socketserver.ThreadingUDPServer):
    daemon_threads = True


if __name__ == "__main__":
    PROTOCOL, ADDRESS, BUFFER = sys.argv[1], sys.argv[2], int(sys.argv[3])
    HOST, PORT = ADDRESS.rsplit(":", 1)
    SERVER, HANDLER = {
        "tcp": (StreamServer, Stream),
        "udp": (DatagramServer, Datagram),
    }[PROTOCOL]
    with SERVER((HOST, int(PORT)), HANDLER) as server:
        server.serve_forever()
