package bench

import (
	"fmt"
	"strings"

	"github.com/glattn/attention"
)

// Workload is a named problem.
type Workload struct {
	Spec
	Group string // prefill, decode or models
	What  string // in words
}

var workloads = []Workload{
	named("P1", "prefill", "L 1024, D 64", "b=1,h=8,l=1024,d=64"),
	named("P2", "prefill", "P1 causal", "b=1,h=8,l=1024,d=64,causal=top-left"),
	named("P3", "prefill", "L 4096, D 128, causal", "b=1,h=8,l=4096,d=128,causal=top-left"),
	named("P4", "prefill", "a batch of short ones", "b=4,h=16,l=512,d=64"),
	named("D1", "decode", "one token, grouped heads", "b=1,hq=32,hkv=8,lq=1,lk=4096,d=128"),
	named("D1-f16", "decode", "D1 with a float16 cache", "b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,kv=f16"),
	named("D2", "decode", "D1 with a batch of 8", "b=8,hq=32,hkv=8,lq=1,lk=4096,d=128"),
	named("D2-f16", "decode", "D2 with a float16 cache", "b=8,hq=32,hkv=8,lq=1,lk=4096,d=128,kv=f16"),
	named("D3", "decode", "one token, long, a KV head each", "b=1,h=32,lq=1,lk=16384,d=128"),
	named("D3-f16", "decode", "D3 with a float16 cache", "b=1,h=32,lq=1,lk=16384,d=128,kv=f16"),
	named("bert-base", "models", "an encoder layer of BERT-base", "b=1,h=12,l=384,d=64"),
	named("gpt2", "models", "a decoder layer of GPT-2 reading 1024 tokens", "b=1,h=12,l=1024,d=64,causal=top-left"),
	named("t5-cross", "models", "cross-attention of T5-base, which has no scale", "b=1,h=12,lq=64,lk=512,d=64,scale=1"),
	named("llama3-8b-prefill", "models", "a layer of Llama 3 8B reading 512 tokens", "b=1,hq=32,hkv=8,l=512,d=128,causal=bottom-right"),
	named("llama3-8b-decode", "models", "a layer of Llama 3 8B writing token 4096", "b=1,hq=32,hkv=8,lq=1,lk=4096,d=128,causal=bottom-right"),
}

// named is for the table above, whose specs a test parses.
func named(name, group, what, text string) Workload {
	s, _ := ParseSpec(text) // TestWorkloads reports one that does not parse
	s.Name = name
	return Workload{Spec: s, Group: group, What: what}
}

// Workloads returns all named workloads.
func Workloads() []Workload { return append([]Workload(nil), workloads...) }

// ModelShapes returns the workloads of the default run.
func ModelShapes() []Spec {
	list, _ := SelectWorkloads("models") // a group that exists
	return list
}

// SelectWorkloads returns the workloads of a comma-separated list of names and
// groups (prefill, decode, models, all), each once, in the order of the list.
// Case does not matter. The error is an [attention.ErrInvalid] naming the known ones.
func SelectWorkloads(list string) ([]Spec, error) {
	var chosen []Spec
	seen := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		item = strings.TrimSpace(item)
		found := false
		for _, w := range workloads {
			if !strings.EqualFold(item, w.Name) && item != w.Group && item != "all" {
				continue
			}
			found = true
			if !seen[w.Name] {
				chosen = append(chosen, w.Spec)
			}
			seen[w.Name] = true
		}
		if !found {
			return nil, fmt.Errorf("bench: %w: unknown workload %q (known: %s)", attention.ErrInvalid, item, knownWorkloads())
		}
	}
	return chosen, nil
}

func knownWorkloads() string {
	names := []string{"all", "prefill", "decode", "models"}
	for _, w := range workloads {
		names = append(names, w.Name)
	}
	return strings.Join(names, ", ")
}
