package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"

	"golang.org/x/term"

	"tocsin/internal/app"
)

type usersCmd struct {
	List     usersListCmd     `cmd:"" help:"List the users."`
	Add      usersAddCmd      `cmd:"" help:"Make a user. The password is asked for, or read from standard input."`
	Remove   usersRemoveCmd   `cmd:"" help:"Remove a user and end their sessions."`
	Password usersPasswordCmd `cmd:"" help:"Give a user another password and end their sessions."`
	Role     usersRoleCmd     `cmd:"" help:"Give a user another role."`
}

// accountAnswer is a user or a token as the API tells it.
type accountAnswer struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	Secret string `json:"secret"`
	APIKey string `json:"api_key"`
}

func userPath(name string) string { return "/api/v1/users/" + url.PathEscape(name) }

// send changes something about accounts.
func (c *cli) send(p *process, method, path string, in any) (accountAnswer, error) {
	client, err := c.connectNew(p)
	if err != nil {
		return accountAnswer{}, err
	}
	var done accountAnswer
	err = client.Send(p.ctx, method, path, in, &done)
	return done, errors.Join(refusedInput(err), client.Close())
}

// refusedInput turns an answer that says the user named what is not there, or is there already, into one that
// the user can mend.
func refusedInput(err error) error {
	var status *app.StatusError
	if errors.As(err, &status) && (status.Status == http.StatusNotFound || status.Status == http.StatusConflict) {
		return wrongInput{err}
	}
	return err
}

type usersListCmd struct {
	Format string `help:"table, ndjson, json or csv; a table on a terminal, else ndjson." placeholder:"FORMAT"`
}

func (cmd usersListCmd) Run(p *process, c *cli) error {
	return c.listAccounts(p, "users", cmd.Format, []string{"id", "name", "role", "origin", "created_at", "login_at"})
}

// listAccounts prints users or tokens.
func (c *cli) listAccounts(p *process, what, format string, columns []string) error {
	format, err := formatOf(p, format)
	if err != nil {
		return err
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var found map[string][]map[string]any
	if err := client.Get(p.ctx, "/api/v1/"+what, &found); err != nil {
		return err
	}
	out := newPrinter(p.stdout, format, columns)
	for _, row := range found[what] {
		if err := out.row(row); err != nil {
			return err
		}
	}
	return out.end()
}

type usersAddCmd struct {
	Name string `arg:"" help:"Name of the user."`
	Role string `help:"viewer, editor or admin." default:"viewer" enum:"viewer,editor,admin"`
}

func (cmd usersAddCmd) Run(p *process, c *cli) error {
	password, err := readPassword(p, cmd.Name)
	if err != nil {
		return err
	}
	u, err := c.send(p, http.MethodPost, "/api/v1/users", map[string]string{"name": cmd.Name, "role": cmd.Role, "password": password})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s can sign in as %s\n", u.Name, u.Role)
	return err
}

type usersRemoveCmd struct {
	Name string `arg:"" help:"Name or id of the user."`
}

func (cmd usersRemoveCmd) Run(p *process, c *cli) error {
	u, err := c.send(p, http.MethodDelete, userPath(cmd.Name), nil)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is removed\n", u.Name)
	return err
}

type usersPasswordCmd struct {
	Name string `arg:"" help:"Name or id of the user."`
}

func (cmd usersPasswordCmd) Run(p *process, c *cli) error {
	password, err := readPassword(p, cmd.Name)
	if err != nil {
		return err
	}
	u, err := c.send(p, http.MethodPut, userPath(cmd.Name)+"/password", map[string]string{"password": password})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s has another password\n", u.Name)
	return err
}

type usersRoleCmd struct {
	Name string `arg:"" help:"Name or id of the user."`
	Role string `arg:"" help:"viewer, editor or admin." enum:"viewer,editor,admin"`
}

func (cmd usersRoleCmd) Run(p *process, c *cli) error {
	u, err := c.send(p, http.MethodPut, userPath(cmd.Name)+"/role", map[string]string{"role": cmd.Role})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.stdout, "%s is %s\n", u.Name, u.Role)
	return err
}

// readPassword asks for a password twice on a terminal, which does not show it, or reads the first line of
// standard input.
func readPassword(p *process, name string) (string, error) {
	if fd := int(os.Stdin.Fd()); term.IsTerminal(fd) {
		var typed [2]string
		for i, said := range []string{"Password of %s: ", "Once more: "} {
			if strings.Contains(said, "%") {
				said = fmt.Sprintf(said, quoteLine(name))
			}
			fmt.Fprint(p.stderr, said)
			b, err := term.ReadPassword(fd)
			fmt.Fprintln(p.stderr)
			if err != nil {
				return "", fmt.Errorf("read the password: %w", err)
			}
			typed[i] = string(b)
		}
		if typed[0] != typed[1] {
			return "", wrongInput{errors.New("the two passwords differ")}
		}
		return typed[0], nil
	}
	line, err := bufio.NewReader(io.LimitReader(os.Stdin, 64<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", wrongInput{errors.New("there is no password on standard input: write it there, on one line, or run this on a terminal")}
	}
	return line, nil
}
