package exec

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"

	"tocsin/internal/row"
)

// GeoIP is a MaxMind database (MaxMind DB File Format Specification v2.0), such as GeoLite2-City. It
// is safe for concurrent use.
type GeoIP struct {
	tree     []byte
	data     []byte
	nodes    uint32
	bits     uint32 // of a record
	version  uint64 // of IP
	ipv4Root uint32
}

var errGeoIP = errors.New("the file is no MaxMind database, or a damaged one")

// NewGeoIP reads a database from the content of its file, which it keeps.
func NewGeoIP(file []byte) (*GeoIP, error) {
	marker := []byte("\xab\xcd\xefMaxMind.com")
	at := bytes.LastIndex(file, marker)
	if at < 0 {
		return nil, errGeoIP
	}
	meta := newMMDB(file[at+len(marker):])
	v, _ := meta.value(0, 0)
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errGeoIP
	}
	number := func(name string) uint64 { n, _ := m[name].(uint64); return n }
	g := &GeoIP{nodes: uint32(number("node_count")), bits: uint32(number("record_size")), version: number("ip_version")}
	size := uint64(g.nodes) * uint64(g.bits) / 4
	if g.bits != 24 && g.bits != 28 && g.bits != 32 || size+16 > uint64(at) || g.version != 4 && g.version != 6 {
		return nil, errGeoIP
	}
	g.tree, g.data = file[:size], file[size+16:at]
	if g.version == 6 {
		for range 96 {
			if g.ipv4Root >= g.nodes {
				break
			}
			g.ipv4Root = g.record(g.ipv4Root, 0)
		}
	}
	return g, nil
}

// record is the left (0) or right (1) record of a node.
func (g *GeoIP) record(node uint32, side int) uint32 {
	switch g.bits {
	case 24:
		b := g.tree[node*6+uint32(side)*3:]
		return uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
	case 28:
		b := g.tree[node*7 : node*7+7]
		if side == 0 {
			return uint32(b[3]>>4)<<24 | uint32(b[0])<<16 | uint32(b[1])<<8 | uint32(b[2])
		}
		return uint32(b[3]&15)<<24 | uint32(b[4])<<16 | uint32(b[5])<<8 | uint32(b[6])
	}
	return binary.BigEndian.Uint32(g.tree[node*8+uint32(side)*4:])
}

// find gives City, Country, Region, lat, lon, Continent, Timezone and country_code; null where unknown.
func (g *GeoIP) find(ip netip.Addr) (place [8]row.Value) {
	ip = ip.Unmap()
	node := uint32(0)
	if ip.Is4() {
		node = g.ipv4Root
	} else if g.version == 4 {
		return place
	}
	address := ip.AsSlice()
	for i := 0; i < len(address)*8 && node < g.nodes; i++ {
		node = g.record(node, int(address[i/8]>>(7-i%8)&1))
	}
	if node <= g.nodes {
		return place
	}
	d := newMMDB(g.data)
	v, _ := d.value(int(node-g.nodes)-16, 0)
	return [8]row.Value{
		member(v, "city", "names", "en"), member(v, "country", "names", "en"), member(v, "subdivisions", "0", "names", "en"),
		member(v, "location", "latitude"), member(v, "location", "longitude"),
		member(v, "continent", "names", "en"), member(v, "location", "time_zone"), member(v, "country", "iso_code"),
	}
}

// member walks maps and lists by names and "0".
func member(v any, path ...string) row.Value {
	for _, p := range path {
		switch x := v.(type) {
		case map[string]any:
			v = x[p]
		case []any:
			if len(x) == 0 {
				return row.Value{}
			}
			v = x[0]
		default:
			return row.Value{}
		}
	}
	switch v := v.(type) {
	case string:
		return row.NewString(v)
	case float64:
		return row.NewFloat(v)
	case uint64:
		return row.NewInt(int64(v))
	}
	return row.Value{}
}

// mmdb decodes the data section. Damage gives nil values, never a panic; pointers in circles end when
// left values have been read.
type mmdb struct {
	data []byte
	left *int
}

// maxValues is how many values one record may have.
const maxValues = 5000

func newMMDB(data []byte) mmdb {
	left := maxValues
	return mmdb{data: data, left: &left}
}

// value reads the value at i and returns the place after it.
func (d mmdb) value(i, depth int) (any, int) {
	if *d.left--; i < 0 || i >= len(d.data) || depth > 32 || *d.left < 0 {
		return nil, len(d.data)
	}
	control := d.data[i]
	i++
	kind := int(control >> 5)
	if kind == 1 {
		return d.pointer(control, i, depth)
	}
	if kind == 0 {
		if i >= len(d.data) {
			return nil, len(d.data)
		}
		kind = int(d.data[i]) + 7
		i++
	}
	size := int(control & 31)
	if extra := size - 28; extra > 0 {
		if i+extra > len(d.data) {
			return nil, len(d.data)
		}
		n := 0
		for _, b := range d.data[i : i+extra] {
			n = n<<8 | int(b)
		}
		size = n + [...]int{0, 29, 285, 65821}[extra]
		i += extra
	}
	switch kind {
	case 7: // map
		m := map[string]any{}
		for range size {
			var k, v any
			k, i = d.value(i, depth+1)
			v, i = d.value(i, depth+1)
			if name, ok := k.(string); ok {
				m[name] = v
			}
			if i >= len(d.data) {
				break
			}
		}
		return m, i
	case 11: // array
		var list []any
		for range size {
			if i >= len(d.data) {
				break
			}
			var v any
			v, i = d.value(i, depth+1)
			list = append(list, v)
		}
		return list, i
	case 14:
		return size != 0, i
	}
	if size < 0 || i+size > len(d.data) {
		return nil, len(d.data)
	}
	b := d.data[i : i+size]
	i += size
	switch kind {
	case 2:
		return string(b), i
	case 3:
		if size == 8 {
			return math.Float64frombits(binary.BigEndian.Uint64(b)), i
		}
	case 15:
		if size == 4 {
			return float64(math.Float32frombits(binary.BigEndian.Uint32(b))), i
		}
	case 5, 6, 8, 9:
		n := uint64(0)
		for _, c := range b {
			n = n<<8 | uint64(c)
		}
		return n, i
	}
	return nil, i
}

// pointer follows a pointer; what comes after it is where it ended itself.
func (d mmdb) pointer(control byte, i, depth int) (any, int) {
	n := int(control>>3&3) + 1
	if i+n > len(d.data) {
		return nil, len(d.data)
	}
	at := 0
	if n < 4 {
		at = int(control & 7)
	}
	for _, b := range d.data[i : i+n] {
		at = at<<8 | int(b)
	}
	at += [...]int{0, 0, 2048, 526336, 0}[n]
	v, _ := d.value(at, depth+1)
	return v, i + n
}
