package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	cri "k8s.io/cri-api/pkg/apis/runtime/v1"
	criclient "k8s.io/cri-client/pkg"
)

const (
	criEndpoint = "unix:///run/containerd/containerd.sock"
	criTimeout  = 10 * time.Second
)

const crictlUsage = "usage: crictl images | inspecti IMAGE | rmi IMAGE | pods | ps"

// crictl answers the few subcommands that the kind CLI calls on a node (`images` for its logs,
// `inspecti` before it loads an image) and a person who looks at one wants. cri-tools itself is not
// served as a module everywhere, and the client library is linked into the kubelet anyway.
func crictl(arguments []string) error {
	// kind and people put -o json and the like anywhere; the output is fixed, so flags are dropped.
	words := slices.DeleteFunc(slices.Clone(arguments), func(word string) bool {
		return strings.HasPrefix(word, "-") || word == "json"
	})
	if len(words) == 0 {
		return errors.New(crictlUsage)
	}
	ctx, cancel := context.WithTimeout(context.Background(), criTimeout)
	defer cancel()
	switch command := words[0]; {
	case command == "images" || command == "inspecti" && len(words) == 2 || command == "rmi" && len(words) == 2:
		return crictlImages(ctx, command, words[1:])
	case command == "pods" || command == "ps":
		return crictlRunning(ctx, command)
	default:
		return errors.New(crictlUsage)
	}
}

func crictlImages(ctx context.Context, command string, names []string) error {
	service, err := criclient.NewRemoteImageServiceBuilder().
		WithEndpoint(criEndpoint).WithConnectionTimeout(criTimeout).Build(ctx)
	if err != nil {
		return err
	}
	switch command {
	case "inspecti":
		answer, err := service.ImageStatus(ctx, &cri.ImageSpec{Image: names[0]}, false)
		if err != nil {
			return err
		}
		if answer.GetImage() == nil {
			return fmt.Errorf("no such image %q present", names[0])
		}
		image := answer.GetImage()
		return json.NewEncoder(os.Stdout).Encode(map[string]any{"status": map[string]any{
			"id": image.GetId(), "repoTags": image.GetRepoTags(), "repoDigests": image.GetRepoDigests(),
			"size": fmt.Sprint(image.GetSize()),
		}})
	case "rmi":
		return service.RemoveImage(ctx, &cri.ImageSpec{Image: names[0]})
	}
	images, err := service.ListImages(ctx, nil)
	if err != nil {
		return err
	}
	return table("IMAGE\tIMAGE ID\tSIZE", func(out io.Writer) {
		for _, image := range images {
			for _, tag := range image.GetRepoTags() {
				fmt.Fprintf(out, "%s\t%.19s\t%d\n", tag, image.GetId(), image.GetSize())
			}
		}
	})
}

func crictlRunning(ctx context.Context, command string) error {
	service, err := criclient.NewRemoteRuntimeServiceBuilder().
		WithEndpoint(criEndpoint).WithConnectionTimeout(criTimeout).Build(ctx)
	if err != nil {
		return err
	}
	if command == "pods" {
		pods, err := service.ListPodSandbox(ctx, nil)
		if err != nil {
			return err
		}
		return table("POD ID\tSTATE\tNAMESPACE\tNAME", func(out io.Writer) {
			for _, pod := range pods {
				fmt.Fprintf(out, "%.13s\t%s\t%s\t%s\n", pod.GetId(), pod.GetState(),
					pod.GetMetadata().GetNamespace(), pod.GetMetadata().GetName())
			}
		})
	}
	containers, err := service.ListContainers(ctx, nil)
	if err != nil {
		return err
	}
	return table("CONTAINER\tSTATE\tNAME\tATTEMPT\tPOD", func(out io.Writer) {
		for _, container := range containers {
			fmt.Fprintf(out, "%.13s\t%s\t%s\t%d\t%s\n", container.GetId(), container.GetState(),
				container.GetMetadata().GetName(), container.GetMetadata().GetAttempt(),
				container.GetLabels()["io.kubernetes.pod.name"])
		}
	})
}

func table(heading string, rows func(io.Writer)) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 3, ' ', 0)
	fmt.Fprintln(out, heading)
	rows(out)
	return out.Flush()
}
