package main

import (
	"strings"

	"github.com/spf13/cobra"

	"sendwatch/internal/config"
	"sendwatch/internal/kafka"
)

// kafkaTarget names a topic for commands that speak to Kafka themselves: by a configuration, or by brokers alone.
type kafkaTarget struct {
	config  string
	brokers string
	topic   string
	byFlag  string // the topic's flag
}

func (k *kafkaTarget) flags(cmd *cobra.Command, name, topic, usage string) {
	k.byFlag = name
	f := cmd.Flags()
	f.StringVar(&k.config, "config", "", "configuration file with the way to Kafka")
	f.StringVar(&k.brokers, "brokers", "", "brokers, host:port with commas between")
	f.StringVar(&k.topic, name, topic, usage)
}

func (k *kafkaTarget) given() bool { return k.config != "" || k.brokers != "" }

func (k *kafkaTarget) load(cmd *cobra.Command) (*config.Config, error) {
	c, err := loadConfig(cmd, k.config)
	if err != nil {
		return nil, err
	}
	if k.brokers != "" {
		c.Kafka.Brokers = strings.Split(k.brokers, ",")
	}
	return c, nil
}

func (k *kafkaTarget) open(cmd *cobra.Command) (*kafka.Client, string, error) {
	c, err := k.load(cmd)
	if err != nil {
		return nil, "", err
	}
	o, err := kafkaOptions(c)
	if err != nil {
		return nil, "", err
	}
	client, err := kafka.New(o)
	return client, k.topic, err
}
