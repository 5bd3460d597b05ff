package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

// buffer is the size of a connection's buffers. A session is 64 KiB at most.
const buffer = 64 << 10

// options reads an address. Its errors do not quote the URL, which may hold a
// password.
func options(address string, config *tls.Config) (rueidis.ClientOption, error) {
	opt := rueidis.ClientOption{
		Dialer:             net.Dialer{Timeout: 2 * time.Second},
		ConnWriteTimeout:   5 * time.Second, // a connection that has not answered a ping for so long is given up
		ReadBufferEachConn: buffer, WriteBufferEachConn: buffer, RingScaleEachConn: 9,
		DisableCache: true, // a session that has ended must not be found again
	}
	u, err := url.Parse(address)
	if err != nil {
		return opt, errors.New("this is not a URL (write it like redis://user:password@host:6379/0)")
	}
	if u.User != nil {
		opt.Username = u.User.Username()
		opt.Password, _ = u.User.Password()
	}
	switch u.Scheme {
	case "redis", "valkey":
	case "rediss", "valkeys":
		opt.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if config != nil {
			opt.TLSConfig = config.Clone()
		}
	case "unix":
		return opt, unixSocket(&opt, u)
	default:
		return opt, fmt.Errorf("%q is not a known scheme (write redis://, rediss:// or unix://)", u.Scheme)
	}
	for host := range strings.SplitSeq(u.Host, ",") {
		address, err := hostPort(host)
		if err != nil {
			return opt, err
		}
		opt.InitAddress = append(opt.InitAddress, address)
	}
	if opt.SelectDB, err = database(strings.TrimPrefix(u.Path, "/")); err != nil {
		return opt, err
	}
	return opt, query(&opt, u, "master", "sentinel_user", "sentinel_password")
}

func unixSocket(opt *rueidis.ClientOption, u *url.URL) error {
	if u.Host != "" || u.Path == "" {
		return errors.New("a unix socket needs a path (write it like unix:///run/redis.sock)")
	}
	opt.InitAddress = []string{u.Path}
	opt.ForceSingleClient = true
	opt.DialCtxFn = func(ctx context.Context, path string, d *net.Dialer, _ *tls.Config) (net.Conn, error) {
		return d.DialContext(ctx, "unix", path)
	}
	return query(opt, u, "db")
}

// query reads what follows the question mark.
func query(opt *rueidis.ClientOption, u *url.URL, known ...string) error {
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("what follows ? is not key=value")
	}
	for name := range values {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%q is not known after ? (%s are)", name, strings.Join(known, ", "))
		}
	}
	if values.Has("db") {
		if opt.SelectDB, err = database(values.Get("db")); err != nil {
			return err
		}
	}
	if opt.Sentinel.MasterSet = values.Get("master"); opt.Sentinel.MasterSet != "" {
		opt.Sentinel.Username, opt.Sentinel.Password = values.Get("sentinel_user"), values.Get("sentinel_password")
		opt.Sentinel.Dialer, opt.Sentinel.TLSConfig = opt.Dialer, opt.TLSConfig
		opt.Sentinel.TopologyRefreshInterval = 5 * time.Second
	} else if len(opt.InitAddress) > 1 && opt.SelectDB != 0 {
		return errors.New("a cluster has database 0 only (for Sentinel write ?master=name)")
	}
	return nil
}

func database(s string) (int, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%q is not the number of a database", s)
	}
	return n, nil
}

// hostPort completes host, host:port, [address]:port.
func hostPort(s string) (string, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(s, "["), "]"), "6379"
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if host == "" || n == 0 || err != nil || strings.ContainsAny(host, "/@ ") || strings.Contains(host, ":") && net.ParseIP(host) == nil {
		return "", fmt.Errorf("%q is not a host (write it like host:6379)", s)
	}
	return net.JoinHostPort(host, port), nil
}

// CheckURL tells what is wrong with a URL for [Config], without connecting.
func CheckURL(address string) error {
	if _, err := options(address, nil); err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	return nil
}
