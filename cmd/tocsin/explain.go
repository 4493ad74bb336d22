package main

import (
	"errors"

	"tocsin/internal/app"
)

type explainCmd struct {
	searched
	AST    bool   `name:"ast" help:"Print the tree of the filter as Kibana's JSON." xor:"what"`
	DSL    bool   `name:"dsl" help:"Print the Elasticsearch query of the filter as Kibana builds it." xor:"what"`
	Plan   bool   `help:"Print what runs where; this is the default." xor:"what"`
	Fields string `help:"With --dsl: a file with a mapping or a field caps answer, for the types of fields; a cluster that is named is asked." placeholder:"FILE"`
}

// Run explains the query.
func (cmd explainCmd) Run(p *process, c *cli) error {
	o := app.ExplainOptions{SearchOptions: cmd.options(p), AST: cmd.AST, DSL: cmd.DSL, Plan: cmd.Plan, Fields: cmd.Fields}
	if err := cmd.tables(p, c, &o.SearchOptions); err != nil {
		return err
	}
	client, err := cmd.embedded(p, c)
	if err != nil {
		return err
	}
	if client != nil {
		err := userError(app.ExplainEmbedded(p.ctx, client, cmd.Index, o))
		return errors.Join(err, client.Close())
	}
	done, err := cmd.cluster(p, c, &o.SearchOptions)
	if err != nil {
		return userError(err)
	}
	defer done()
	return userError(app.Explain(p.ctx, o))
}
