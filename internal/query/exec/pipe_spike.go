package exec

import (
	"slices"
	"strconv"

	"tocsin/internal/query/pipe"
	"tocsin/internal/query/plan"
	"tocsin/internal/row"
)

// spikeOp counts the events of each key in buckets, and tells of those with far more than the buckets they
// are compared with. A bucket is judged at its end.
type spikeOp struct {
	detectOp
	by      *grouper
	factor  float64
	least   int64
	buckets plan.Buckets
	length  int64
	counts  map[string]*keyed[map[int64]int64]
	columns [4]int // count, baseline, first, last
}

func (b *builder) spike(p *pipe.Spike) (op, *row.Schema, error) {
	factor, err := strconv.ParseFloat(p.Factor, 64)
	if err != nil {
		return nil, nil, err
	}
	out := b.columnSchema()
	o := &spikeOp{
		detectOp: b.detect(), by: b.fieldKeys(b.slots(p.By)), factor: factor, least: max(int64(p.Min), 1), buckets: b.step.Judged.Buckets,
		counts: map[string]*keyed[map[int64]int64]{},
	}
	o.length = int64(o.buckets.Length)
	for i, n := range []string{"count", "baseline", "first", "last"} {
		o.columns[i] = out.Slot(n)
	}
	return o, out, nil
}

func (o *spikeOp) push(r *row.Row) error {
	t, ok := o.at(r)
	if !ok {
		return nil
	}
	bucket := o.bucketOf(t)
	return o.by.each(r, func(key []byte, values []row.Value) error {
		k, err := ofKey(&o.detectOp, o.counts, key, values)
		if err != nil {
			return err
		}
		if k.of == nil {
			k.of = map[int64]int64{}
		}
		k.of[bucket]++
		if k.of[bucket] == 1 {
			return o.hold(40)
		}
		return nil
	})
}

// bucketOf is the bucket that a time lies in.
func (o *spikeOp) bucketOf(t int64) int64 {
	bucket := t / o.length
	if t%o.length < 0 {
		bucket--
	}
	return bucket
}

// overLimit is one bucket with far more events than before it.
type overLimit struct {
	bucket, count int64
	baseline      float64
}

func (o *spikeOp) flush() error {
	for _, k := range o.counts {
		var buckets []int64
		for b := range k.of {
			buckets = append(buckets, b)
		}
		slices.Sort(buckets)
		var episode []overLimit
		low, high, sum := 0, 0, int64(0) // buckets[low:high] are what the bucket is compared with
		for _, b := range buckets {
			end := b - o.buckets.Shift
			for high < len(buckets) && buckets[high] < end {
				sum += k.of[buckets[high]]
				high++
			}
			for low < high && buckets[low] < end-o.buckets.Count {
				sum -= k.of[buckets[low]]
				low++
			}
			count := k.of[b]
			if count < o.least || float64(count)*float64(o.buckets.Count) <= o.factor*float64(sum) || !o.judged(b) {
				continue
			}
			if n := len(episode); n > 0 && (o.env.options.Windows || episode[n-1].bucket != b-1) {
				o.episode(k.keys, episode)
				episode = episode[:0]
			}
			episode = append(episode, overLimit{b, count, tidyMean(sum, o.buckets.Count)})
		}
		if len(episode) > 0 {
			o.episode(k.keys, episode)
		}
	}
	o.counts = nil
	return o.tell()
}

// judged reports whether a bucket ends in the range: after its beginning, and not after its end, for its
// own end is no longer in it.
func (o *spikeOp) judged(bucket int64) bool {
	end := bucket*o.length + o.length
	return end > o.since && (o.open || end <= o.before)
}

// episode makes one row of buckets that follow each other: that of the greatest, the earliest of equals.
func (o *spikeOp) episode(keys []row.Value, buckets []overLimit) {
	best := buckets[0]
	for _, b := range buckets {
		if b.count > best.count {
			best = b
		}
	}
	out := row.Row{Vals: slices.Clone(keys)}
	first, last := buckets[0].bucket*o.length, buckets[len(buckets)-1].bucket*o.length+o.length
	out.Set(o.columns[0], row.NewInt(best.count))
	out.Set(o.columns[1], row.NewFloat(best.baseline))
	out.Set(o.columns[2], row.NewTimeNano(first))
	out.Set(o.columns[3], row.NewTimeNano(last))
	o.say(first, keys, out)
}

func tidyMean(sum, n int64) float64 {
	if n == 0 {
		return 0
	}
	return float64(sum) / float64(n)
}
