// SPDX-License-Identifier: Apache-2.0

// The official Go SDK as a client: sdk WS_URL json|protobuf NEXT_TOKEN CHANNEL...
// It does and prints the same as sdk_python.py, whose head has the words.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/centrifugal/centrifuge-go"
)

// patience ends what hangs; a busy machine does not need so long.
const patience = time.Minute

type line map[string]any

var printing sync.Mutex

func say(what string, more line) {
	more["what"] = what
	text, err := json.Marshal(more)
	if err != nil {
		panic(err)
	}
	printing.Lock()
	defer printing.Unlock()
	fmt.Println(string(text))
}

func fail(err error) {
	if err != nil {
		say("error", line{"text": err.Error()})
	}
}

// raw is JSON as it came, or null.
func raw(data []byte) json.RawMessage {
	if len(data) == 0 {
		return json.RawMessage("null")
	}
	return data
}

func ask(client *centrifuge.Client, sub *centrifuge.Subscription, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := answer(ctx, client, sub, name)
	var refused *centrifuge.Error
	if errors.As(err, &refused) {
		say("refused", line{"asked": name, "code": refused.Code})
	} else {
		fail(err)
	}
}

func answer(ctx context.Context, client *centrifuge.Client, sub *centrifuge.Subscription, name string) error {
	switch name {
	case "presence":
		found, err := sub.Presence(ctx)
		if err != nil {
			return err
		}
		clients := line{}
		for id, info := range found.Clients {
			clients[id] = line{"user": info.User, "info": raw(info.ConnInfo)}
		}
		say(name, line{"clients": clients})
	case "stats":
		found, err := sub.PresenceStats(ctx)
		if err != nil {
			return err
		}
		say(name, line{"num_clients": found.NumClients, "num_users": found.NumUsers})
	case "history":
		found, err := sub.History(ctx, centrifuge.WithHistoryLimit(-1))
		if err != nil {
			return err
		}
		data := []json.RawMessage{}
		for _, publication := range found.Publications {
			data = append(data, publication.Data)
		}
		say(name, line{"offset": found.Offset, "data": data})
	case "publish":
		_, err := sub.Publish(ctx, []byte(`{"from":"sdk"}`))
		return err
	case "rpc":
		_, err := client.RPC(ctx, "nothing", []byte("{}"))
		return err
	}
	return nil
}

func watch(client *centrifuge.Client, channel string) error {
	sub, err := client.NewSubscription(channel, centrifuge.SubscriptionConfig{
		Recoverable: true, JoinLeave: true, Delta: centrifuge.DeltaTypeFossil,
	})
	if err != nil {
		return err
	}
	sub.OnSubscribed(func(e centrifuge.SubscribedEvent) {
		say("subscribed", line{"channel": channel, "side": "client", "recoverable": e.Recoverable, "recovered": e.Recovered})
	})
	sub.OnUnsubscribed(func(e centrifuge.UnsubscribedEvent) {
		say("unsubscribed", line{"channel": channel, "side": "client", "code": e.Code})
	})
	sub.OnJoin(func(e centrifuge.JoinEvent) { say("join", line{"channel": channel, "user": e.User}) })
	sub.OnLeave(func(e centrifuge.LeaveEvent) { say("leave", line{"channel": channel, "user": e.User}) })
	sub.OnError(func(e centrifuge.SubscriptionErrorEvent) { fail(e.Error) })
	sub.OnPublication(func(e centrifuge.PublicationEvent) {
		publisher := ""
		if e.Info != nil {
			publisher = e.Info.User
		}
		say("publication", line{"channel": channel, "side": "client", "offset": e.Offset, "data": raw(e.Data),
			"tags": e.Tags, "publisher": publisher})
		var order struct{ Do string }
		if json.Unmarshal(e.Data, &order) == nil && order.Do != "" {
			go ask(client, sub, order.Do)
		}
	})
	return sub.Subscribe()
}

func main() {
	url, encoding, next, channels := os.Args[1], os.Args[2], os.Args[3], os.Args[4:]
	say("started", line{})
	token, err := bufio.NewReader(os.Stdin).ReadString('\n')
	fail(err)
	open := centrifuge.NewJsonClient
	if encoding == "protobuf" {
		open = centrifuge.NewProtobufClient
	}
	client := open(url, centrifuge.Config{
		Token: strings.TrimSpace(token),
		GetToken: func(centrifuge.ConnectionTokenEvent) (string, error) {
			say("token", line{})
			return next, nil
		},
		MaxReconnectDelay: 500 * time.Millisecond,
		HandshakeTimeout:  patience,
		ReadTimeout:       patience,
		WriteTimeout:      patience,
	})
	end := make(chan struct{})
	client.OnConnecting(func(e centrifuge.ConnectingEvent) { say("connecting", line{"code": e.Code}) })
	client.OnConnected(func(e centrifuge.ConnectedEvent) {
		say("connected", line{"client": e.ClientID, "data": raw(e.Data)})
	})
	client.OnDisconnected(func(e centrifuge.DisconnectedEvent) {
		say("disconnected", line{"code": e.Code})
		close(end)
	})
	client.OnError(func(e centrifuge.ErrorEvent) { say("trouble", line{"text": e.Error.Error()}) })
	client.OnSubscribed(func(e centrifuge.ServerSubscribedEvent) {
		say("subscribed", line{"channel": e.Channel, "side": "server", "data": raw(e.Data)})
	})
	client.OnUnsubscribed(func(e centrifuge.ServerUnsubscribedEvent) {
		say("unsubscribed", line{"channel": e.Channel, "side": "server"})
	})
	client.OnPublication(func(e centrifuge.ServerPublicationEvent) {
		say("publication", line{"channel": e.Channel, "side": "server", "data": raw(e.Data)})
	})
	for _, channel := range channels {
		fail(watch(client, channel))
	}
	fail(client.Connect())
	<-end
}
