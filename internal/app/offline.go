package app

import (
	"sendwatch/internal/audit"
	"sendwatch/internal/config"
	"sendwatch/internal/windows"
)

// AuditOptions say what is counted and judged offline, as the service does with the same configuration.
func AuditOptions(c *config.Config) audit.Options {
	o := audit.Options{
		Combinations: c.Subjects, Policies: Policies(c), Retention: windows.DefaultRetention(c.Retention.Days),
		Horizon: c.Dedupe.Horizon, Providers: ProvidersOf(c),
	}
	if c.Engagement.Enabled {
		rules := Rules(c)
		o.Engagement = &rules
	}
	return o
}
