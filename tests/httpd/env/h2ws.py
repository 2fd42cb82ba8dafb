# SPDX-License-Identifier: Apache-2.0
"""h2ws - a WebSocket on a stream of an HTTP/2 connection (RFC 8441)."""
import socket
import ssl
import time

import h2.config
import h2.connection
import h2.events
import h2.settings

from . import ws
from .polling import FACTOR


class Stream:
    """One extended CONNECT; looks like raw.Raw to what is above."""

    def __init__(self, port, path, headers=(), seconds=20):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"])
        self.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", port),
                                     seconds * FACTOR))
        assert self.sock.selected_alpn_protocol() == "h2"
        self.inbox = bytearray()
        self.ended = None
        self.headers = None
        self.h2 = h2.connection.H2Connection(
            h2.config.H2Configuration(header_encoding="utf-8"))
        self.h2.initiate_connection()
        self._flush()
        while h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL not in \
                self.h2.remote_settings:
            assert self._read(seconds), "no RFC 8441 here"
        self.id = self.h2.get_next_available_stream_id()
        self.h2.send_headers(self.id, [
            (":method", "CONNECT"), (":protocol", "websocket"),
            (":scheme", "https"), (":path", path),
            (":authority", "localhost"), ("sec-websocket-version", "13"),
            *headers])
        self._flush()
        while self.headers is None:
            assert self._read(seconds), "no answer"

    def _flush(self):
        self.sock.sendall(self.h2.data_to_send())

    def _read(self, seconds):
        """1 = something came."""
        self.sock.settimeout(max(seconds * FACTOR, 0.001))
        try:
            data = self.sock.recv(65536)
        except (socket.timeout, ssl.SSLWantReadError):
            return 0
        if not data:
            self.ended = "fin"
            return 0
        for event in self.h2.receive_data(data):
            self._take(event)
        self._flush()
        return 1

    def _take(self, event):
        if isinstance(event, h2.events.ResponseReceived):
            self.headers = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.inbox += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length,
                                              event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended = "fin"
        elif isinstance(event, h2.events.StreamReset):
            self.ended = "reset"

    # --- what raw.Raw has ---------------------------------------------------
    def send(self, data):
        data = bytes(data)
        while data:
            room = min(self.h2.local_flow_control_window(self.id),
                       self.h2.max_outbound_frame_size)
            self.h2.send_data(self.id, data[:room])
            self._flush()
            data = data[room:]
            assert room or self._read(20), "no room to send"

    def fill(self, seconds=20):
        """Something more for this stream's inbox?"""
        known = len(self.inbox)
        deadline = time.monotonic() + seconds * FACTOR
        while len(self.inbox) == known and not self.ended:
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            self._read(left / FACTOR)
        return len(self.inbox) > known

    def reset(self):
        self.h2.reset_stream(self.id)
        self._flush()

    def close(self):
        self.sock.close()


class H2Talk(ws.Talk):
    """The message protocol on such a stream."""

    def __init__(self, port, path, headers=()):  # pylint: disable=W0231
        self.conn = Stream(port, path, headers)
        self.close_code = self.close_reason = None
        self.pings = self.beats = 0
        self.at = {}
        self.headers = self.conn.headers
        self.status = int(self.headers[":status"])
