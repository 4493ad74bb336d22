package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// whyAsk is the body of a question, as the API takes it.
type whyAsk struct {
	Document json.RawMessage `json:"document,omitempty"`
	ID       string          `json:"id,omitempty"`
	Index    string          `json:"index,omitempty"`
	Content  string          `json:"content,omitempty"`
}

// clauseTold is a clause as the API tells it.
type clauseTold struct {
	Text    string       `json:"text"`
	Matches bool         `json:"matches"`
	Has     string       `json:"has"`
	Parts   []clauseTold `json:"parts"`
}

// mostRead bounds a document that is read.
const mostRead = 3 << 20

// document says why a rule did not alert on a document.
func (cmd alertsWhyCmd) document(p *process, c *cli) error {
	ask, err := cmd.ask(p)
	if err != nil {
		return err
	}
	one, err := ruleOrFile(cmd.Rule)
	if err != nil {
		return err
	}
	name := one.Rule
	if one.Content != "" {
		ask.Content = one.Content
		if name = strings.TrimSuffix(filepath.Base(one.File), filepath.Ext(one.File)); one.Format == "json" {
			return wrongInput{fmt.Errorf("--rule %s: write the rule as YAML, or name one that is saved", cmd.Rule)}
		}
	}
	client, err := c.connectNew(p)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // what was asked has been answered
	var whole json.RawMessage
	if err := client.Send(p.ctx, http.MethodPost, rulePath(name)+"/why", ask, &whole); err != nil {
		return notThere(err)
	}
	if cmd.Format == "json" {
		_, err := fmt.Fprintln(p.stdout, string(whole))
		return err
	}
	return printWhy(p.stdout, whole)
}

// ask reads the document: of a file, of standard input, or by its id.
func (cmd alertsWhyCmd) ask(p *process) (whyAsk, error) {
	ask := whyAsk{Index: cmd.Index}
	var in io.Reader
	if cmd.ID == "-" {
		in = os.Stdin
	} else if st, err := os.Stat(cmd.ID); err == nil && !st.IsDir() {
		f, err := os.Open(cmd.ID)
		if err != nil {
			return ask, err
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	if in == nil {
		ask.ID = cmd.ID
		return ask, nil
	}
	text, err := io.ReadAll(io.LimitReader(in, mostRead+1))
	if err != nil {
		return ask, fmt.Errorf("read the document: %w", err)
	}
	text = []byte(strings.TrimSpace(string(text)))
	switch {
	case len(text) > mostRead:
		return ask, wrongInput{fmt.Errorf("the document is larger than %d bytes", mostRead)}
	case len(text) == 0:
		return ask, wrongInput{fmt.Errorf("there is no document in %s", cmd.ID)}
	case !json.Valid(text):
		return ask, wrongInput{fmt.Errorf("%s does not hold the JSON of one document: give one, as it is kept or as Elasticsearch answers it", cmd.ID)}
	}
	ask.Document = text
	return ask, nil
}

// printWhy prints the way of a document, a step a line.
func printWhy(out io.Writer, whole json.RawMessage) error {
	var why struct {
		Rule, Name, Sentence string
		Steps                []struct {
			Name    string `json:"step"`
			Result  string
			Text    string
			Clauses []clauseTold
		}
	}
	if err := json.Unmarshal(whole, &why); err != nil {
		return fmt.Errorf("read the answer of tocsin: %w", err)
	}
	var s strings.Builder
	fmt.Fprintf(&s, "%s: %s\n", quoteLine(why.Name), quoteLine(why.Sentence))
	marks := map[string]string{"yes": "+", "no": "x", "note": "-"}
	for _, step := range why.Steps {
		fmt.Fprintf(&s, "  %s %s\n", marks[step.Result], quoteLine(step.Text))
		printClauses(&s, step.Clauses, "      ")
	}
	_, err := io.WriteString(out, s.String())
	return err
}

func printClauses(s *strings.Builder, all []clauseTold, indent string) {
	for _, c := range all {
		mark, has := "+", ""
		if !c.Matches {
			mark = "x"
		}
		if c.Has != "" && len(c.Parts) == 0 {
			has = "  (" + c.Has + ")"
		}
		fmt.Fprintf(s, "%s%s %s%s\n", indent, mark, quoteLine(c.Text), quoteLine(has))
		printClauses(s, c.Parts, indent+"    ")
	}
}
