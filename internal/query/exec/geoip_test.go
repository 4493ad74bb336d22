package exec

import (
	"bytes"
	"encoding/binary"
	"math"
	"net/netip"
	"testing"
)

// mmdbOf builds a database in which 10.0.0.0/8 has one record, in an IPv6 tree with records of 24 bits.
func mmdbOf(data []byte) []byte {
	const depth = 96 + 8
	path := append(make([]byte, 12), 10)
	var tree bytes.Buffer
	for i := range depth {
		bit := path[i/8] >> (7 - i%8) & 1
		next := uint32(i + 1)
		if i == depth-1 {
			next = depth + 16 // the first byte of the data
		}
		records := [2]uint32{depth, depth} // nothing
		records[bit] = next
		for _, r := range records {
			tree.Write([]byte{byte(r >> 16), byte(r >> 8), byte(r)})
		}
	}
	tree.Write(make([]byte, 16))
	tree.Write(data)
	tree.WriteString("\xab\xcd\xefMaxMind.com")
	tree.Write(mmdbMap("node_count", append([]byte{0xc1}, depth), "record_size", []byte{0xa1, 24}, "ip_version", []byte{0xa1, 6}))
	return tree.Bytes()
}

func mmdbString(s string) []byte { return append([]byte{0x40 | byte(len(s))}, s...) }

func mmdbMap(pairs ...any) []byte {
	out := []byte{0xe0 | byte(len(pairs)/2)}
	for i := 0; i < len(pairs); i += 2 {
		out = append(append(out, mmdbString(pairs[i].(string))...), pairs[i+1].([]byte)...)
	}
	return out
}

func mmdbDouble(f float64) []byte {
	return binary.BigEndian.AppendUint64([]byte{0x68}, math.Float64bits(f))
}

func TestGeoIPFindsThePlaceOfAnAddress(t *testing.T) {
	data := mmdbMap("city", mmdbMap("names", mmdbMap("en", mmdbString("Kiel"))),
		"country", mmdbMap("iso_code", mmdbString("DE"), "names", mmdbMap("en", mmdbString("Germany"))),
		"location", mmdbMap("latitude", mmdbDouble(54.5), "longitude", mmdbDouble(-10.25)),
		"subdivisions", append([]byte{0x01, 0x04}, mmdbMap("names", mmdbMap("en", mmdbString("SH")))...))
	g, err := NewGeoIP(mmdbOf(data))
	if err != nil {
		t.Fatal(err)
	}
	f := func(ip string, want ...string) {
		t.Helper()
		place := g.find(netip.MustParseAddr(ip))
		for i, w := range want {
			if got := string(place[i].AppendJSON(nil)); got != w {
				t.Errorf("%s: %d is %s, want %s", ip, i, got, w)
			}
		}
	}
	f("10.1.2.3", `"Kiel"`, `"Germany"`, `"SH"`, "54.5", "-10.25", "null", "null", `"DE"`)
	f("::ffff:10.1.2.3", `"Kiel"`)
	f("11.1.2.3", "null", "null")
	f("2001:db8::1", "null")
}

func FuzzGeoIPSurvivesDamage(f *testing.F) {
	f.Add(mmdbOf(mmdbMap("city", mmdbString("x"))))
	f.Fuzz(func(t *testing.T, file []byte) {
		if g, err := NewGeoIP(file); err == nil {
			g.find(netip.MustParseAddr("10.1.2.3"))
			g.find(netip.MustParseAddr("2001:db8::1"))
		}
	})
}
