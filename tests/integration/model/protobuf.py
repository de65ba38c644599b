# SPDX-License-Identifier: Apache-2.0
"""The client protocol and that of nodes in Protobuf: tables of fields, and dictionaries in the shape that JSON has."""

# name: (number, kind); kinds are int, str, bytes, bool, the name of a message, [kind] repeated, {kind} a map of it.
MESSAGES = {
    "Command": {"id": (1, "int"), "connect": (4, "ConnectRequest"), "subscribe": (5, "SubscribeRequest"),
                "unsubscribe": (6, "ChannelRequest"), "publish": (7, "PublishRequest"),
                "presence": (8, "ChannelRequest"), "history": (10, "HistoryRequest")},
    "ConnectRequest": {"token": (1, "str"), "subs": (3, {"SubscribeRequest"})},
    "SubscribeRequest": {"channel": (1, "str"), "recover": (3, "bool"), "epoch": (6, "str"), "offset": (7, "int"),
                         "positioned": (9, "bool"), "recoverable": (10, "bool"), "join_leave": (11, "bool"),
                         "delta": (12, "str"), "tf": (13, "FilterNode")},
    "FilterNode": {"op": (1, "str"), "key": (2, "str"), "cmp": (3, "str"), "val": (4, "str")},
    "ChannelRequest": {"channel": (1, "str")},
    "PublishRequest": {"channel": (1, "str"), "data": (2, "bytes")},
    "HistoryRequest": {"channel": (1, "str"), "limit": (7, "int"), "since": (8, "StreamPosition")},
    "StreamPosition": {"offset": (1, "int"), "epoch": (2, "str")},
    "Reply": {"id": (1, "int"), "error": (2, "Error"), "push": (4, "Push"), "connect": (5, "ConnectResult"),
              "subscribe": (6, "SubscribeResult"), "unsubscribe": (7, "Empty"), "publish": (8, "Empty"),
              "presence": (9, "PresenceResult"), "history": (11, "HistoryResult")},
    "Error": {"code": (1, "int"), "message": (2, "str"), "temporary": (3, "bool")},
    "Push": {"channel": (2, "str"), "pub": (4, "Publication"), "join": (5, "Presence"), "leave": (6, "Presence"),
             "unsubscribe": (7, "Unsubscribe"), "subscribe": (9, "Empty"), "disconnect": (11, "Empty")},
    "Publication": {"data": (4, "bytes"), "info": (5, "ClientInfo"), "offset": (6, "int"), "tags": (7, {"str"}),
                    "delta": (8, "bool"), "time": (9, "int"), "epoch": (14, "str"), "version": (16, "int")},
    "ClientInfo": {"user": (1, "str"), "client": (2, "str"), "conn_info": (3, "bytes"), "chan_info": (4, "bytes")},
    "Presence": {"info": (1, "ClientInfo")},
    "Unsubscribe": {"code": (2, "int"), "reason": (3, "str")},
    "ConnectResult": {"client": (1, "str"), "version": (2, "str"), "expires": (3, "bool"),
                      "ttl": (4, "int"), "subs": (6, {"SubscribeResult"}), "ping": (7, "int"),
                      "pong": (8, "bool"), "session": (9, "str"), "node": (10, "str")},
    "SubscribeResult": {"recoverable": (3, "bool"), "epoch": (6, "str"), "publications": (7, ["Publication"]),
                        "recovered": (8, "bool"), "offset": (9, "int"), "positioned": (10, "bool"),
                        "was_recovering": (12, "bool"), "delta": (13, "bool")},
    "PresenceResult": {"presence": (1, {"ClientInfo"})},
    "HistoryResult": {"publications": (1, ["Publication"]), "epoch": (2, "str"), "offset": (3, "int")},
    "Empty": {},
    "ControlCommand": {"uid": (1, "str"), "node": (4, "Node"), "shutdown": (7, "Empty"),
                       "survey_request": (8, "SurveyRequest"), "survey_response": (9, "SurveyResponse")},
    "Node": {"uid": (1, "str"), "name": (2, "str"), "version": (3, "str"), "num_clients": (4, "int"),
             "num_users": (5, "int"), "num_channels": (6, "int"), "uptime": (7, "int"), "metrics": (8, "bytes"),
             "data": (9, "bytes"), "num_subs": (10, "int")},
    "SurveyRequest": {"id": (1, "int"), "op": (2, "str"), "data": (3, "bytes")},
    "SurveyResponse": {"id": (1, "int"), "code": (2, "int"), "data": (3, "bytes")},
    "ChannelsAnswer": {"channels": (1, {"ChannelInfo"})},
    "ChannelInfo": {"num_clients": (1, "int")},
}


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while True:
        byte = data[at]
        at += 1
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return number, at


def _field(number, kind, value):
    if kind in ("int", "bool"):
        return varint(number << 3) + varint(int(value))
    if kind in MESSAGES:
        value = encode(kind, value)
    elif isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def encode(name, message):
    out = b""
    for key, value in message.items():
        number, kind = MESSAGES[name][key]
        if isinstance(kind, set):
            (inner,) = kind
            for entry, item in value.items():
                pair = _field(1, "str", entry) + _field(2, inner, item)
                out += varint(number << 3 | 2) + varint(len(pair)) + pair
        else:
            out += _field(number, kind, value)
    return out


def _fields(data):
    """(number, value) of each field; varints as int, the rest as bytes."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        if tag & 7 == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at)
            value, at = data[at:at + size], at + size
        yield tag >> 3, value


def _value(kind, value):
    if kind == "str":
        return value.decode()
    if kind == "bool":
        return bool(value)
    return decode(kind, value) if kind in MESSAGES else value


NAMES = {name: {number: (key, kind) for key, (number, kind) in table.items()} for name, table in MESSAGES.items()}


def decode(name, data):
    """Fields that no table has are a KeyError: nothing unknown is expected."""
    out = {}
    for number, value in _fields(data):
        key, kind = NAMES[name][number]
        if isinstance(kind, list):
            out.setdefault(key, []).append(_value(kind[0], value))
        elif isinstance(kind, set):
            (inner,) = kind
            pair = dict(_fields(value))
            empty = b"" if inner in ("str", "bytes") or inner in MESSAGES else 0
            out.setdefault(key, {})[pair[1].decode()] = _value(inner, pair.get(2, empty))
        else:
            out[key] = _value(kind, value)
    return out


def decode_all(name, data):
    """Messages with their lengths before them, as a frame holds them."""
    at, out = 0, []
    while at < len(data):
        size, at = read_varint(data, at)
        out.append(decode(name, data[at:at + size]))
        at += size
    return out
