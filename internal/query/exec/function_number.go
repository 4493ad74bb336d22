package exec

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"

	"tocsin/internal/row"
)

// numberFunctions work on numbers; what is no number gives null.
var numberFunctions = map[string]plainFunction{
	"round":    round,
	"floor":    whole(math.Floor),
	"ceil":     whole(math.Ceil),
	"abs":      absolute,
	"pow":      power,
	"sqrt":     floatFunction(math.Sqrt),
	"ln":       floatFunction(math.Log),
	"exp":      floatFunction(math.Exp),
	"log":      logarithm,
	"min":      extreme(-1),
	"max":      extreme(1),
	"tonumber": toNumber,
	"tostring": toString,
}

func floatFunction(f func(float64) float64) plainFunction {
	return func(a []row.Value) row.Value {
		n, ok := a[0].Number()
		if !ok {
			return row.Value{}
		}
		return tidy(f(n.Float()))
	}
}

// tidy is a double as an integer where it is a whole number that an integer holds exactly.
func tidy(f float64) row.Value {
	if f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return row.NewInt(int64(f))
	}
	return row.NewFloat(f)
}

func whole(f func(float64) float64) plainFunction {
	return func(a []row.Value) row.Value {
		n, ok := a[0].Number()
		if !ok || n.Kind() == row.Int {
			return n
		}
		return tidy(f(n.Float()))
	}
}

func absolute(a []row.Value) row.Value {
	n, ok := a[0].Number()
	if !ok {
		return row.Value{}
	}
	if n.Kind() == row.Int && n.Int() != math.MinInt64 {
		return row.NewInt(max(n.Int(), -n.Int()))
	}
	return row.NewFloat(math.Abs(n.Float()))
}

// round rounds half away from zero, to a number of digits after the point or, if negative, before it.
func round(a []row.Value) row.Value {
	n, ok := a[0].Number()
	digits := 0
	if len(a) > 1 && ok {
		var d row.Value
		if d, ok = a[1].Number(); ok {
			digits = int(max(min(d.Float(), 300), -300))
		}
	}
	switch {
	case !ok:
		return row.Value{}
	case n.Kind() == row.Int && digits >= 0:
		return n
	case digits == 0:
		return tidy(math.Round(n.Float()))
	case math.IsInf(n.Float(), 0):
		return row.Value{}
	}
	// Decimal digits are rounded as they are written: 2.675 to 2 digits is 2.68.
	x, ok := new(big.Rat).SetString(strconv.FormatFloat(n.Float(), 'g', -1, 64))
	if n.Kind() == row.Int {
		x, ok = new(big.Rat).SetInt64(n.Int()), true
	}
	if !ok {
		return row.Value{}
	}
	scale := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(digits, -digits))), nil))
	if digits < 0 {
		scale.Inv(scale)
	}
	x.Mul(x, scale)
	half := big.NewRat(int64(x.Sign()), 2)
	x.Add(x, half)
	q := new(big.Int).Quo(x.Num(), x.Denom())
	out, _ := new(big.Rat).Quo(new(big.Rat).SetInt(q), scale).Float64()
	return tidy(out)
}

func power(a []row.Value) row.Value {
	x, okX := a[0].Number()
	y, okY := a[1].Number()
	if !okX || !okY {
		return row.Value{}
	}
	if x.Kind() == row.Int && y.Kind() == row.Int && y.Int() >= 0 && y.Int() < 64 {
		if p := new(big.Int).Exp(big.NewInt(x.Int()), big.NewInt(y.Int()), nil); p.IsInt64() {
			return row.NewInt(p.Int64())
		}
	}
	return tidy(math.Pow(x.Float(), y.Float()))
}

// logarithm is to base 10 unless another is given.
func logarithm(a []row.Value) row.Value {
	n, ok := a[0].Number()
	if !ok {
		return row.Value{}
	}
	if len(a) == 1 {
		return tidy(math.Log10(n.Float()))
	}
	base, ok := a[1].Number()
	switch {
	case !ok:
		return row.Value{}
	case base.Float() == 10:
		return tidy(math.Log10(n.Float()))
	case base.Float() == 2:
		return tidy(math.Log2(n.Float()))
	}
	return tidy(math.Log(n.Float()) / math.Log(base.Float()))
}

// extreme is the least or greatest of all values of its arguments; nulls do not count.
func extreme(sign int) plainFunction {
	return func(a []row.Value) row.Value {
		var best row.Value
		for _, v := range a {
			for i := range v.Len() {
				if e := v.At(i); best.IsNull() || row.Order(e, best)*sign > 0 {
					best = e
				}
			}
		}
		return best
	}
}

// toNumber reads a number, in another base if one is given.
func toNumber(a []row.Value) row.Value {
	if len(a) == 1 {
		if v, ok := a[0].Single(); ok && v.Kind() == row.Bool {
			if v.Bool() {
				return row.NewInt(1)
			}
			return row.NewInt(0)
		}
		n, _ := a[0].Number()
		return n
	}
	base, ok := a[1].Number()
	if !ok || base.Float() < 2 || base.Float() > 36 || a[0].IsNull() {
		return row.Value{}
	}
	text := strings.TrimSpace(a[0].Text())
	if base.Float() == 16 {
		text = strings.TrimPrefix(strings.TrimPrefix(text, "0x"), "0X")
	}
	if strings.Contains(text, "_") {
		return row.Value{}
	}
	n, err := strconv.ParseInt(text, int(base.Float()), 64)
	if err != nil {
		return row.Value{}
	}
	return row.NewInt(n)
}

// toString writes a value as text, a number also in hexadecimal, with commas or as a duration.
func toString(a []row.Value) row.Value {
	if a[0].IsNull() {
		return row.Value{}
	}
	if len(a) == 1 {
		return eachText(a[0], func(s string) row.Value { return row.NewString(s) })
	}
	n, ok := a[0].Number()
	if !ok {
		return row.Value{}
	}
	switch a[1].Text() {
	case "hex":
		if i, ok := asInt(n); ok {
			if i < 0 {
				return row.NewString("-0x" + strings.ToUpper(strconv.FormatUint(uint64(-i), 16)))
			}
			return row.NewString("0x" + strings.ToUpper(strconv.FormatInt(i, 16)))
		}
	case "commas":
		return row.NewString(commas(n))
	case "duration":
		s := n.Float()
		if math.Abs(s) > 9e9 {
			return row.Value{}
		}
		return row.NewString(clock(time.Duration(s * float64(time.Second))))
	}
	return row.Value{}
}

func asInt(n row.Value) (int64, bool) {
	if n.Kind() == row.Int {
		return n.Int(), true
	}
	f := n.Float()
	return int64(f), f == math.Trunc(f) && math.Abs(f) < 1<<63
}

// commas writes a number with commas between thousands, and with at most two digits after the point.
func commas(n row.Value) string {
	text := n.Text()
	if n.Kind() == row.Float && !math.IsInf(n.Float(), 0) && n.Float() != math.Trunc(n.Float()) {
		text = strconv.FormatFloat(math.Round(n.Float()*100)/100, 'f', -1, 64)
	}
	sign := ""
	if strings.HasPrefix(text, "-") {
		sign, text = "-", text[1:]
	}
	digits, rest, point := strings.Cut(text, ".")
	if strings.ContainsAny(digits, "e") {
		return sign + text
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	if point {
		digits += "." + rest
	}
	return sign + digits
}

// clock writes a duration as [D+]HH:MM:SS.
func clock(d time.Duration) string {
	sign := ""
	if d < 0 {
		sign, d = "-", -d
	}
	s := int64(d / time.Second)
	days := ""
	if s >= 86400 {
		days = strconv.FormatInt(s/86400, 10) + "+"
	}
	out := fmt.Sprintf("%s%s%02d:%02d:%02d", sign, days, s/3600%24, s/60%60, s%60)
	if ms := int64(d / time.Millisecond % 1000); ms > 0 {
		out += fmt.Sprintf(".%03d", ms)
	}
	return out
}
