package row

import "math/big"

// exact is the value of a number without rounding; not ok for an infinity.
func (v Value) exact() (*big.Float, bool) {
	if n, ok := v.bigInt(); ok {
		return new(big.Float).SetInt(n), true
	}
	f := v.Float()
	if f-f != 0 {
		if x, _, err := big.ParseFloat(v.str, 10, 200, big.ToNearestEven); err == nil && v.str != "" {
			return x, true
		}
		return nil, false
	}
	return new(big.Float).SetFloat64(f), true
}
