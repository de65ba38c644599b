# SPDX-License-Identifier: Apache-2.0
"""Configurations of the web servers in front, written for one test each."""
import os
import socket
import subprocess

from harness.check import Skip
from harness.process import Process, find_program

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
ADMIN_PATHS = "^/(api/ping|admin|health|ready|metrics)(/|$)"

LIGHTTPD = """
server.modules = ("mod_setenv", "mod_proxy", "mod_fastcgi", "mod_accesslog"{tls_module})
server.document-root = "{www}"
server.bind = "127.0.0.1"
server.port = {port}
server.upload-dirs = ("{dir}")
server.max-request-size = 65536
server.max-fds = 4096
server.max-keep-alive-idle = 600
server.max-read-idle = 600
server.max-write-idle = 600
index-file.names = ("index.html")
mimetype.assign = (".html" => "text/html", ".js" => "text/javascript", ".css" => "text/css")
accesslog.filename = "{dir}/front-access.log"
accesslog.format = "%{{Host}}i %h \\"%r\\" %>s %b"
{tls}
$HTTP["url"] =~ "^/connection/" {{
    server.stream-response-body = 2
    proxy.server = ("" => ((lighttpd_ws)))
    proxy.header = ("upgrade" => "enable")
}} else $HTTP["url"] =~ "{admin_paths}" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => {admin_port})))
}} else $HTTP["url"] =~ "^/api" {{
    fastcgi.server = ("" => (("socket" => "{api}", "check-local" => "disable")))
{session}
}}
"""

LIGHTTPD_TLS = """
$SERVER["socket"] == "127.0.0.1:{tls_port}" {{
    ssl.engine = "enable"
    ssl.pemfile = "{dir}/tls.pem"
}}
"""

NGINX = """
{user}
daemon off;
pid {dir}/nginx.pid;
error_log stderr warn;
worker_processes 1;
worker_rlimit_nofile 4096;
events {{ worker_connections 2048; }}
http {{
    log_format plain '$host $remote_addr "$request" $status $body_bytes_sent';
    access_log {dir}/front-access.log plain;
    client_body_temp_path {dir}/nginx-body;
    proxy_temp_path {dir}/nginx-proxy;
    fastcgi_temp_path {dir}/nginx-fastcgi;
    uwsgi_temp_path {dir}/nginx-uwsgi;
    scgi_temp_path {dir}/nginx-scgi;
    client_max_body_size 64m;
    keepalive_timeout 600s;
    types {{ text/html html; text/css css; text/javascript js; }}
    map $http_upgrade $ws_upgrade {{ default ""; websocket websocket; }}
    map $ws_upgrade $ws_connection {{ default upgrade; "" ""; }}
    {maps}
    upstream push_api {{ server unix:{api}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        {tls}
        location /connection/ {{
            proxy_pass {nginx_ws};
            proxy_http_version 1.1;
            proxy_set_header Upgrade $ws_upgrade;
            proxy_set_header Connection $ws_connection;
            proxy_set_header Host $http_host;
            proxy_buffering off;
            proxy_read_timeout 1h;
        }}
        location ~ {admin_paths} {{
            proxy_pass http://127.0.0.1:{admin_port};
            proxy_set_header Host $http_host;
        }}
        {extra}
        location /api {{
            {auth}
            fastcgi_pass push_api;
            include {root}/etc/nginx/pushd-fastcgi.conf;
            {session}
        }}
        location / {{ root {www}; }}
    }}
}}
"""

APACHE = """
ServerRoot "{dir}"
ServerName localhost
PidFile "{dir}/apache.pid"
DefaultRuntimeDir "{dir}"
Listen 127.0.0.1:{port}
{modules}
{user}
ErrorLog "/dev/stderr"
LogLevel warn
LogFormat "%{{Host}}i %h \\"%r\\" %>s %b" plain
CustomLog "{dir}/front-access.log" plain
DocumentRoot "{www}"
ProxyTimeout 600
KeepAliveTimeout 600
<Location "/api">
{session}
    SetHandler "proxy:unix:{api}|fcgi://push-api/"
    Require all granted
</Location>
ProxyPass "/connection/websocket" "ws://{ws_host}/connection/websocket" upgrade=websocket
ProxyPassMatch "^/(api/ping|admin.*|health|ready|metrics)$" "http://127.0.0.1:{admin_port}/$1"
<Directory "{www}">
    Require all granted
</Directory>
"""
APACHE_MODULES = ("mpm_event", "authz_core", "unixd", "setenvif", "env", "log_config", "proxy", "proxy_http",
                  "proxy_wstunnel", "proxy_fcgi", "headers")


def reserve_port():
    """(socket to keep open, port): nobody else gets the port from the kernel meanwhile, but a server that sets
    SO_REUSEADDR, as all web servers and Redis do, can listen there."""
    holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(("127.0.0.1", 0))
    return holder, holder.getsockname()[1]


def make_certificate(directory):
    """A self-signed certificate for centrifugo.whatrack.com: tls.crt, tls.key and both in tls.pem."""
    key, certificate = os.path.join(directory, "tls.key"), os.path.join(directory, "tls.crt")
    subprocess.run([find_program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                    "-nodes", "-days", "2", "-subj", "/CN=centrifugo.whatrack.com", "-addext",
                    "subjectAltName=DNS:centrifugo.whatrack.com,DNS:localhost", "-keyout", key, "-out", certificate],
                   check=True, capture_output=True)
    with open(os.path.join(directory, "tls.pem"), "w", encoding="ascii") as both:
        for part in (key, certificate):
            with open(part, encoding="ascii") as source:
                both.write(source.read())


def lighttpd(values, session):
    rules = []
    for cookie, variables in session.items():
        pairs = ", ".join('"%s" => "%s"' % pair for pair in variables.items())
        rule = "    setenv.set-environment = (%s)" % pairs
        rules.append(rule if cookie is None else '    $HTTP["cookie"] =~ "%s" {\n    %s\n    }' % (cookie, rule))
    values["session"] = "\n".join(rules)
    values["tls_module"] = ', "mod_openssl"' if values["tls_port"] else ""
    values["tls"] = LIGHTTPD_TLS.format(**values) if values["tls_port"] else ""
    if values["tls_port"] and not os.path.exists("/usr/lib/lighttpd/mod_openssl.so"):
        raise Skip("lighttpd-mod-openssl is not installed")
    host, _, port = values["ws_host"].rpartition(":")
    text = LIGHTTPD.format(**values).replace("(lighttpd_ws)", '("host" => "%s", "port" => %s)' % (host, port))
    return text, lambda path: [find_program("lighttpd"), "-D", "-f", path]


def nginx(values, session):
    maps, names = [], sorted({name for variables in session.values() for name in variables})
    for name in names:
        rows = "".join(' %s "%s";' % ("default" if cookie is None else "~" + cookie, variables.get(name, ""))
                       for cookie, variables in session.items())
        maps.append('map $http_cookie $session_%s { %s%s }'
                    % (name.lower(), "" if None in session else 'default "";', rows))
    values["maps"] = "\n    ".join(maps)
    values["session"] = "\n            ".join("fastcgi_param %s $session_%s if_not_empty;" % (name, name.lower())
                                              for name in names) + values.pop("nginx_session", "")
    values["user"] = "user root;" if os.geteuid() == 0 else ""
    values["nginx_ws"] = "http://" + values["ws_host"]
    values.setdefault("auth", "")
    values.setdefault("extra", "")
    values["tls"] = ""
    if values["tls_port"]:
        values["tls"] = ("listen 127.0.0.1:%(tls_port)d ssl; ssl_certificate %(dir)s/tls.crt; "
                         "ssl_certificate_key %(dir)s/tls.key;" % values)
    return NGINX.format(**values), lambda path: [find_program("nginx"), "-p", values["dir"], "-e", "stderr", "-c", path]


def apache(values, session):
    modules = []
    for name in APACHE_MODULES:
        path = "/usr/lib/apache2/modules/mod_%s.so" % name
        if os.path.exists(path):
            modules.append("LoadModule %s_module %s" % (name, path))
        elif name in ("proxy_fcgi", "mpm_event"):
            raise Skip("apache2 is not installed")
    values["modules"] = "\n".join(modules)
    values["session"] = "\n".join('    SetEnv %s "%s"' % pair
                                  for variables in session.values() for pair in variables.items())
    # Started by root, Apache gives its workers to another user, who has to reach our socket.
    values["user"] = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    return APACHE.format(**values), lambda path: [find_program("apache2"), "-DFOREGROUND", "-f", path]


KINDS = {"lighttpd": lighttpd, "nginx": nginx, "apache": apache}


def start_front(kind, values, session):
    """Writes the configuration and starts the server; it is not ready yet. `values` needs dir, www, port, tls_port,
    ws_host, admin_port and api."""
    values = {"admin_paths": ADMIN_PATHS, "root": ROOT, **values}
    text, argv = KINDS[kind](values, session)
    path = os.path.join(values["dir"], kind + ".conf")
    with open(path, "w", encoding="utf-8") as conf:
        conf.write(text)
    # lighttpd ends with 1 when it is stopped while connections are open.
    return Process(kind, argv(path), values["dir"], clean=(0, 1) if kind == "lighttpd" else (0,))
