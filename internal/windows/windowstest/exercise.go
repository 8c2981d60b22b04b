package windowstest

import (
	"testing"
	"time"
)

// Exercise runs every sequence against stores that open makes, each on a state of its own.
func Exercise(t *testing.T, open func(t *testing.T, c Config) Store) {
	for _, s := range sequences() {
		t.Run(s.name, func(t *testing.T) {
			c := DefaultConfig()
			if s.config != nil {
				s.config(&c)
			}
			for _, shards := range []int{1, 4} {
				c.Shards = shards
				if !s.shards && shards > 1 {
					continue
				}
				name := "one_shard"
				if shards > 1 {
					name = "shards"
				}
				t.Run(name, func(t *testing.T) { s.run(newRig(t, open(t, c))) })
			}
		})
	}
}

// sequence is one thing that a store has to do.
type sequence struct {
	name   string
	run    func(r *rig)
	config func(c *Config)
	shards bool // run on several home shards too
}

func sequences() []sequence {
	noRepeats := func(c *Config) { c.Horizon = 0 }
	return []sequence{
		{name: "counts_by_type", run: countsByType, shards: true},
		{name: "subjects_of_events", run: subjectsOfEvents},
		{name: "mailbox_providers", run: mailboxProviders},
		{name: "other_combinations", run: otherCombinations, config: func(c *Config) { c.Combinations = otherOnes() }},
		{name: "buckets_of_their_own_time", run: bucketsOfOwnTime},
		{name: "order_does_not_matter", run: orderDoesNotMatter, shards: true},
		{name: "late_events", run: lateEvents, shards: true},
		{name: "totals", run: totals, shards: true},

		{name: "repeats_with_id", run: repeatsWithID, shards: true},
		{name: "repeats_without_id", run: repeatsWithoutID, shards: true},
		{name: "repeats_within_the_horizon", run: repeatsWithinHorizon, shards: true},
		{name: "repeats_before_newer_events", run: repeatsBeforeNewer, shards: true},
		{name: "the_copy_applied_first_counts", run: firstCopyCounts, shards: true},
		{name: "repeats_turned_off", run: repeatsTurnedOff, config: noRepeats},

		{name: "states_of_deliveries", run: statesOfDeliveries, shards: true},
		{name: "interactions_and_machines", run: interactionsAndMachines},
		{name: "suppressed_deliveries", run: suppressedDeliveries, shards: true},
		{name: "forgotten_recipients", run: forgottenRecipients},
		{name: "recipients_of_tenants", run: recipientsOfTenants, shards: true},
		{name: "breakdown_of_recipients", run: breakdownOfRecipients, shards: true},
		{name: "deliveries_without_recipient", run: deliveriesWithoutRecipient, shards: true},
		{name: "recipients_left_out", run: recipientsLeftOut, config: func(c *Config) { c.NoRecipients = true }},

		{name: "positions", run: positions, shards: true},
		{name: "a_wrong_position_changes_nothing", run: wrongPosition, shards: true},
		{name: "a_batch_applied_twice", run: appliedTwice, shards: true},
		{name: "records_without_events_move_on", run: emptyRecords, shards: true},
		{name: "a_state_that_went_back", run: wentBack, shards: true},
		{name: "handover_to_a_feed", run: feedHandover, shards: true},
		{name: "a_feed_of_a_state_that_went_back", run: feedWentBack, shards: true},
		{name: "like_the_memory_store", run: likeMemory, shards: true},
	}
}

const (
	hour = time.Hour
	day  = 24 * time.Hour
)
