"""An IAM client of its own: plain HTTP and nothing else, so that what it reads back is what the server sent."""

import re
import sys
import urllib.parse
import urllib.request

URL, COMMAND, ROLE = sys.argv[1], sys.argv[2], sys.argv[3]
SCOPE = "Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/iam/aws4_request"


def call(action, **fields):
    body = urllib.parse.urlencode({"Action": action, "Version": "2010-05-08", **fields}).encode()
    headers = {
        "Authorization": f"AWS4-HMAC-SHA256 {SCOPE}, SignedHeaders=host, Signature=0",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    with urllib.request.urlopen(urllib.request.Request(URL, body, headers)) as answer:
        return re.sub("<RequestId>.*?</RequestId>", "", answer.read().decode())


def policy(name, text):
    answer = call("CreatePolicy", PolicyName=name, PolicyDocument=text)
    return re.search("<Arn>(.*?)</Arn>", answer).group(1)


def members(text, tag):
    return re.findall(f"<{tag}>(.*?)</{tag}>", text)


def dump():
    parts = [call("GetRole", RoleName=ROLE)]
    attached = call("ListAttachedRolePolicies", RoleName=ROLE)
    parts.append("\n".join(sorted(members(attached, "PolicyArn"))))
    for name in sorted(members(call("ListRolePolicies", RoleName=ROLE), "member")):
        parts.append(call("GetRolePolicy", RoleName=ROLE, PolicyName=name))
    return "\n".join(parts)


# White space, order and characters that a parser would not keep.
TRUST = """{ "Version":"2012-10-17",
  "Statement" : [ {"Action":"sts:AssumeRoleWithWebIdentity", "Effect":"Allow",
    "Principal":{"Federated":"arn:aws:iam::123456789012:oidc-provider/kubernetes.default.svc"},
    "Condition":{"StringLike":{"kubernetes.default.svc:sub":"system:serviceaccount:drill-*:*"}}}]}"""
READS = '{"Statement":[{"Resource":"arn:aws:s3:::loopdrill-victim/*","Effect":"Allow","Action":"s3:GetObject"}],\n\t"Version":"2012-10-17"}'
LISTS = '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": "s3:List*", "Resource": "*"}}  '

if COMMAND == "make":
    call("CreateRole", RoleName=ROLE, AssumeRolePolicyDocument=TRUST)
    call("TagRole", RoleName=ROLE, **{"Tags.member.1.Key": "team", "Tags.member.1.Value": "a+b c"})
    for number in range(int(sys.argv[4])):
        arn = policy(f"{ROLE}-{number}", LISTS)
        call("AttachRolePolicy", RoleName=ROLE, PolicyArn=arn)
    call("PutRolePolicy", RoleName=ROLE, PolicyName="reads", PolicyDocument=READS)
    call("PutRolePolicy", RoleName=ROLE, PolicyName="lists.too", PolicyDocument=LISTS)
elif COMMAND == "put":
    call("PutRolePolicy", RoleName=ROLE, PolicyName=sys.argv[4], PolicyDocument=sys.argv[5])
elif COMMAND == "delete":
    call("DeleteRolePolicy", RoleName=ROLE, PolicyName=sys.argv[4])
elif COMMAND == "trust":
    call("UpdateAssumeRolePolicy", RoleName=ROLE, PolicyDocument=sys.argv[4])
elif COMMAND == "dump":
    print(dump(), end="")
