"""Debian's nginx and haproxy as reverse proxies, which share their connections to the service among all clients. Both are
as lenient as they can be set to be: more of a request arrives than with their defaults.

`Tls` is haproxy with a certificate in front of an emulator: the emulators speak no TLS for a host that a client can check."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess

import emulators
import wait

NGINX = """
daemon off;
{user}
worker_processes 1;
pid {folder}/pid;
error_log {folder}/error.log warn;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    large_client_header_buffers 8 64k;
    client_max_body_size 0;
    client_header_timeout 5s;
    client_body_timeout 5s;
    ignore_invalid_headers off;
    underscores_in_headers on;
    merge_slashes off;
    upstream service {{ server 127.0.0.1:{upstream}; keepalive 4; }}
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://service;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_request_buffering off;
            proxy_next_upstream off;
            proxy_read_timeout 15s;
        }}
    }}
}}
"""

HAPROXY = """
global
    nbthread 1
    maxconn 1000
    tune.bufsize 65536
    tune.http.maxhdr 1500
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 15s
    option http-keep-alive
    option accept-invalid-http-request
    http-reuse always
listen service
    bind 127.0.0.1:{port}
    server one 127.0.0.1:{upstream}
"""


TLS = """
global
    nbthread 1
    maxconn 1000
defaults
    mode http
    timeout connect 5s
    timeout client 1h
    timeout server 1h
listen emulator
    bind 127.0.0.1:{port} ssl crt {folder}/both.pem alpn {protocol}
    http-request deny if {{ req.hdr(x-amz-target) -m end SubscribeToShard }} !{{ ssl_fc_alpn -m str {protocol} }}
    server one 127.0.0.1:{upstream}
"""


class ReverseProxy:
    """A context manager that runs it. `port`: where it listens."""

    def __init__(self, folder, upstream):
        self.folder, self.port, self.process = pathlib.Path(folder), emulators.free_port(), None
        self.file = self.folder / f"{self.name}.conf"
        self.write_configuration(upstream)

    def __enter__(self):
        self.process = subprocess.Popen(self.command(), preexec_fn=emulators.die_with_parent)
        wait.until(self.answers, f"{self.name} answers")
        return self

    def answers(self):
        return emulators.answers(self.port)

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)

    def write_configuration(self, upstream):
        user = "user root;" if os.geteuid() == 0 else ""
        places = {"folder": self.folder, "port": self.port, "upstream": upstream, "user": user}
        self.file.write_text(self.configuration.format(**places, **self.more()))

    def more(self):
        return {}


class Nginx(ReverseProxy):
    name, configuration = "nginx", NGINX

    def switch(self, upstream):
        """To another port of the service. Requests under way are answered by the old one."""
        self.write_configuration(upstream)
        self.process.send_signal(signal.SIGHUP)

    def command(self):
        return ["/usr/sbin/nginx", "-c", str(self.file), "-p", str(self.folder)]


class Haproxy(ReverseProxy):
    name, configuration = "haproxy", HAPROXY

    def command(self):
        return ["/usr/sbin/haproxy", "-db", "-q", "-f", str(self.file)]


class Tls(Haproxy):
    """`certificate`: of certificates.make. `protocol`: what it offers by ALPN, "h2" or "http/1.1"; a subscription must take
    it."""

    configuration = TLS

    def __init__(self, folder, upstream, certificate, protocol):
        self.protocol = protocol
        (pathlib.Path(folder) / "both.pem").write_bytes(b"".join(file.read_bytes() for file in certificate))
        super().__init__(folder, upstream)

    @property
    def url(self):
        return f"https://127.0.0.1:{self.port}"

    def more(self):
        return {"protocol": self.protocol}

    def answers(self):
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False


KINDS = (Nginx, Haproxy)
