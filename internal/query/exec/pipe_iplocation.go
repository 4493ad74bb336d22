package exec

import (
	"errors"
	"net/netip"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

func (b *builder) ipLocation(p *pipe.IPLocation) (op, *row.Schema, error) {
	db := b.env.options.GeoIP
	if db == nil {
		return nil, nil, errors.New("iplocation needs a MaxMind database: name one with --geoip FILE.mmdb")
	}
	from := b.slot(p.Field.Name)
	var to []int
	for _, n := range plan.IPLocationColumns(p) {
		to = append(to, b.in.Slot(n))
	}
	return &changeOp{change: func(r *row.Row) {
		v := r.Get(from)
		for i := range v.Len() {
			ip, err := netip.ParseAddr(v.At(i).Text())
			if err != nil {
				continue
			}
			place := db.find(ip)
			for c, slot := range to {
				r.Set(slot, place[c])
			}
			return
		}
	}}, b.in, nil
}
