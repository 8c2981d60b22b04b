package windows

import "strings"

// DefaultTenant is the tenant of events that name none.
const DefaultTenant = "default"

// otherProvider is the mailbox provider of every domain that no table knows.
const otherProvider = "other"

// Providers derives the mailbox provider from a recipient's domain. It is immutable and safe for concurrent use.
type Providers struct {
	domains   map[string]string // by whole domain
	endings   map[string]string // by what stands before ".*"
	reporting map[string]bool
}

// NewProviders returns the built-in table (contract, section 12) extended by domains: a domain, or a pattern such as
// "mail.example.*" for any ending, to a provider. An own entry goes before a built-in one, a whole domain before a pattern, a
// longer pattern before a shorter one. reporting are the providers that send complaint reports; a nil slice stands for those
// that do by default. Gmail and Apple tell nobody about single complaints, all the others can at least.
func NewProviders(domains map[string]string, reporting []string) *Providers {
	p := &Providers{
		domains: map[string]string{
			"gmail.com": "gmail", "googlemail.com": "gmail", "msn.com": "outlook", "ymail.com": "yahoo",
			"rocketmail.com": "yahoo", "aol.com": "yahoo", "icloud.com": "apple", "me.com": "apple", "mac.com": "apple",
		},
		endings:   map[string]string{"outlook": "outlook", "hotmail": "outlook", "live": "outlook", "yahoo": "yahoo"},
		reporting: map[string]bool{},
	}
	for domain, provider := range domains {
		if ending, ok := strings.CutSuffix(domain, ".*"); ok {
			p.endings[ending] = provider
		} else {
			p.domains[domain] = provider
		}
	}
	if reporting == nil {
		reporting = []string{"outlook", "yahoo", otherProvider}
	}
	for _, provider := range reporting {
		p.reporting[provider] = true
	}
	return p
}

// Of returns the provider of a lower-case address, "" without an address. It allocates nothing.
func (p *Providers) Of(recipient string) string {
	if recipient == "" {
		return ""
	}
	domain := recipient[strings.LastIndexByte(recipient, '@')+1:]
	if provider, ok := p.domains[domain]; ok {
		return provider
	}
	for end := strings.LastIndexByte(domain, '.'); end > 0; end = strings.LastIndexByte(domain[:end], '.') {
		if provider, ok := p.endings[domain[:end]]; ok {
			return provider
		}
	}
	return otherProvider
}

// Reports tells whether complaints about mail at the provider come back to the sender.
func (p *Providers) Reports(provider string) bool { return p.reporting[provider] }
