package app

import (
	"context"

	"tocsin/internal/config"
	"tocsin/internal/notice"
	"tocsin/internal/outbox"
	"tocsin/internal/policy"
	"tocsin/internal/web"
)

// channelParts are the pages and endpoints of channels and digests. through is nil where nothing can be said.
func (a *App) channelParts(cfg *config.Config, p *policy.Policy, reports []policy.Report, through outbox.Sender) []web.Part {
	o := web.ChannelsOptions{Config: cfg, Policy: p, Rules: a.rules, HeldBack: a.intake.HeldBack, Reports: reports}
	if through != nil {
		o.Post = func(ctx context.Context, n notice.Notice) (notice.Receipt, error) { return through.Post(ctx, n) }
	}
	return []web.Part{
		web.Channels(o),
		web.Digests(web.DigestsOptions{Reports: a.intake.Reports, Foretell: a.intake.Foretell, Place: cfg.Place}),
	}
}
