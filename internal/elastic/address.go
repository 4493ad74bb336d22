package elastic

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// readAddresses gives the nodes' addresses without user info, and the user info they had. Its errors
// never repeat an address that could hold a password.
func readAddresses(o Options) ([]*url.URL, *url.Userinfo, error) {
	switch {
	case o.CloudID != "" && len(o.URLs) > 0:
		return nil, nil, errors.New("urls and cloud_id are both set: leave one out")
	case o.CloudID != "":
		u, err := decodeCloudID(o.CloudID)
		if err != nil {
			return nil, nil, err
		}
		return []*url.URL{u}, nil, nil
	case len(o.URLs) == 0:
		return nil, nil, errors.New("urls is empty: name at least one node, such as https://es1:9200")
	}
	var (
		out      []*url.URL
		user     *url.Userinfo
		problems []error
	)
	for i, raw := range o.URLs {
		u, err := url.Parse(strings.TrimSpace(raw))
		switch {
		case err != nil:
			problems = append(problems, fmt.Errorf("urls[%d] is not a URL: write it like https://es1:9200", i))
			continue
		case u.Scheme != "http" && u.Scheme != "https":
			problems = append(problems, fmt.Errorf("urls[%d] does not begin with https:// or http://", i))
			continue
		case u.Hostname() == "":
			problems = append(problems, fmt.Errorf("urls[%d] names no host", i))
			continue
		case u.RawQuery != "" || u.Fragment != "":
			problems = append(problems, fmt.Errorf("urls[%d] has a ? or # part: a node's address ends with its path", i))
			continue
		}
		if u.User != nil {
			if user != nil && user.String() != u.User.String() {
				problems = append(problems, fmt.Errorf("urls[%d] has another user or password than the URLs before it: one source has one user", i))
			}
			user, u.User = u.User, nil
		}
		u.Path = strings.TrimRight(u.Path, "/")
		u.RawPath = strings.TrimRight(u.RawPath, "/")
		if !slices.ContainsFunc(out, func(v *url.URL) bool { return v.String() == u.String() }) {
			out = append(out, u)
		}
	}
	if user != nil && (o.Username != "" || o.Password != "") {
		if password, _ := user.Password(); user.Username() != o.Username || password != o.Password {
			problems = append(problems, errors.New("urls holds another user or password than username and password: leave one out"))
		}
	}
	return out, user, errors.Join(problems...)
}

// decodeCloudID reads Elastic Cloud's id: a label, a colon, and the base64 of "domain$elasticsearch$kibana",
// each with a port where it is not 443.
func decodeCloudID(id string) (*url.URL, error) {
	bad := errors.New("cloud_id cannot be read: copy it whole from the deployment's page in Elastic Cloud")
	encoded := strings.TrimSpace(id)
	if i := strings.LastIndexByte(encoded, ':'); i >= 0 {
		encoded = encoded[i+1:]
	}
	text, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		if text, err = base64.RawStdEncoding.DecodeString(encoded); err != nil {
			return nil, bad
		}
	}
	parts := strings.Split(string(text), "$")
	if len(parts) < 2 || parts[0] == "" || parts[1] == "" {
		return nil, bad
	}
	domain, port := splitPort(parts[0], "443")
	service, port := splitPort(parts[1], port)
	u, err := url.Parse("https://" + net.JoinHostPort(service+"."+domain, port))
	if err != nil || u.User != nil || u.Path != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, bad
	}
	return u, nil
}

func splitPort(host, otherwise string) (string, string) {
	if name, port, ok := strings.Cut(host, ":"); ok && port != "" {
		return name, port
	}
	return strings.TrimSuffix(host, ":"), otherwise
}

// readCredentials gives the Authorization header.
func readCredentials(o Options) (string, error) {
	key := strings.TrimSpace(o.APIKey)
	switch {
	case key != "" && (o.Username != "" || o.Password != ""):
		return "", errors.New("api_key and username or password are both set: leave one out")
	case key != "":
		return readAPIKey(key)
	case o.Username == "" && o.Password == "":
		return "", nil
	case o.Username == "":
		return "", errors.New("password is set and username is not")
	case o.Password == "":
		return "", errors.New("username is set and password is not")
	case strings.Contains(o.Username, ":"):
		return "", errors.New("username holds a colon, which basic authentication cannot carry")
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(o.Username+":"+o.Password)), nil
}

func readAPIKey(key string) (string, error) {
	bad := errors.New("api_key is neither id:key nor the base64 form Kibana shows: copy it again")
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", bad
	}
	if id, secret, ok := strings.Cut(key, ":"); ok {
		if id == "" || secret == "" {
			return "", bad
		}
		return "ApiKey " + base64.StdEncoding.EncodeToString([]byte(key)), nil
	}
	// Elastic Cloud's universal keys have a prefix and are sent as they are.
	if strings.HasPrefix(key, "essu_") {
		return "ApiKey " + key, nil
	}
	text, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		text, err = base64.RawStdEncoding.DecodeString(key)
	}
	if err != nil || !strings.Contains(string(text), ":") {
		return "", bad
	}
	return "ApiKey " + base64.StdEncoding.EncodeToString(text), nil
}

func readProxy(raw string) (func(*http.Request) (*url.URL, error), error) {
	if raw == "" {
		return http.ProxyFromEnvironment, nil
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || !slices.Contains([]string{"http", "https", "socks5", "socks5h"}, u.Scheme) {
		return nil, errors.New("proxy_url is not the address of a proxy: write it like http://proxy:3128, https:// or socks5:// alike")
	}
	return http.ProxyURL(u), nil
}

// newRedactor replaces every form of our secrets. Nothing of ours puts them into a text; this guards
// against a server or proxy that repeats what it was sent.
func newRedactor(o Options, auth string) *strings.Replacer {
	secrets := []string{o.Password, url.QueryEscape(o.Password), url.PathEscape(o.Password), o.APIKey}
	_, secret, _ := strings.Cut(o.APIKey, ":")
	secrets = append(secrets, secret)
	if _, encoded, ok := strings.Cut(auth, " "); ok {
		secrets = append(secrets, encoded)
		if text, err := base64.StdEncoding.DecodeString(encoded); err == nil {
			_, secret, _ := strings.Cut(string(text), ":")
			secrets = append(secrets, string(text), secret)
		}
	}
	if u, err := url.Parse(o.ProxyURL); err == nil && u.User != nil {
		password, _ := u.User.Password()
		secrets = append(secrets, u.User.String(), password)
	}
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, s := range slices.Compact(secrets) {
		if len(s) >= 4 { // a shorter one would tear ordinary words apart
			pairs = append(pairs, s, "[secret]")
		}
	}
	return strings.NewReplacer(pairs...)
}
